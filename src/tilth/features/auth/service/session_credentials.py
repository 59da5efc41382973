"""Sessions of browsers: begun after a proof, found again by their cookie, ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.orm import Session

from tilth.errors import BadCredential, Unavailable
from tilth.features.auth.models.audit import Origin
from tilth.features.auth.models.sessions import Life, Proof, begin_session, touch
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.actors import actor_from
from tilth.kernel.policy.actor import Actor
from tilth.kit.ids import uuid7
from tilth.kit.secrets import new_token, token_digest

TOUCHES_PER_LIFE = 16
"""A session that is used is kept alive by a write so often, and not with every request."""

SEALED = "session cookie"


@dataclass(frozen=True, slots=True)
class Begun:
    """A new session. cookie: the secret itself, to be sent once."""

    id: UUID
    cookie: str
    expires_at: datetime
    proof: Proof


@dataclass(frozen=True, slots=True)
class Support:
    """Who acts as somebody else, and why."""

    impersonator_id: UUID
    reason: str
    longest: timedelta


def new_session(
    accounts: Accounts,
    session: Session,
    proof: Proof,
    now: datetime,
    origin: Origin,
    *,
    epoch: int,
    support: Support | None = None,
) -> Begun:
    """Always with a new secret, so that one that somebody planted is worth nothing."""
    options = accounts.options
    longest = min(options.longest, support.longest) if support else options.longest
    life = Life(min(options.idle, longest), longest)
    if options.sessions == "cookie" and support is None:
        made = uuid7()
        sealed = _sealed(accounts, proof, made, epoch, now, now + longest)
        return Begun(made, sealed, now + longest, proof)
    secret = new_token()
    made = begin_session(
        session,
        token_digest(secret),
        proof,
        life,
        now,
        origin,
        impersonator_id=support.impersonator_id if support else None,
        reason=support.reason if support else None,
    )
    return Begun(made, secret, now + longest, proof)


async def session_actor(accounts: Accounts, cookie: str) -> Actor | None:
    """None when the session is over: a page that anybody may see is still shown."""
    known = accounts.actors.get(token_digest(cookie), accounts.now())
    if known is not None:
        return known
    told = _told(accounts, cookie) if accounts.options.sessions == "cookie" else None
    # Sessions of support are stored wherever those of others are.
    found = await (_opened(accounts, told) if told else _stored(accounts, cookie))
    if found is not None:
        accounts.actors.keep(token_digest(cookie), found, accounts.now())
    return found


async def _stored(accounts: Accounts, cookie: str) -> Actor | None:
    now = accounts.now()
    database = accounts.backend.store.database
    rows = await accounts.looks.session.rows(database, digest=token_digest(cookie), now=now)
    if not rows:
        return None
    await _keep_alive(accounts, rows[0], now)
    row = rows[0]
    return actor_from(
        accounts,
        rows,
        "session",
        assurance=row["assurance"],
        credential=str(row["session_id"]),
        authenticated_at=row["authenticated_at"],
        impersonator=str(row["impersonator_id"]) if row["impersonator_id"] else None,
    )


async def _keep_alive(accounts: Accounts, row: Mapping[str, Any], now: datetime) -> None:
    idle = timedelta(seconds=row["idle_seconds"])
    if now - row["seen_at"] < idle / TOUCHES_PER_LIFE:
        return
    until = min(now + idle, row["expires_at"])
    try:
        await accounts.run(lambda session, _: touch(session, row["session_id"], until, now))
    except Unavailable:
        # It lives on for a while, and the next request tries again.
        return


def _sealed(
    accounts: Accounts, proof: Proof, id_: UUID, epoch: int, now: datetime, ends: datetime
) -> str:
    told = {
        "id": str(id_),
        "user": str(proof.user_id),
        "epoch": epoch,
        "assurance": proof.assurance,
        "methods": list(proof.methods),
        "at": proof.at.isoformat(),
        "ends": ends.isoformat(),
    }
    lifetime = min(accounts.options.idle, ends - now)
    return accounts.sealer.seal(SEALED, orjson.dumps(told), now=now, lifetime=lifetime)


async def _opened(accounts: Accounts, told: Mapping[str, Any]) -> Actor | None:
    database = accounts.backend.store.database
    rows: Sequence[Mapping[str, Any]] = await accounts.looks.user.rows(
        database, user_id=UUID(told["user"])
    )
    if not rows or rows[0]["epoch"] != told["epoch"]:
        return None
    return actor_from(
        accounts,
        rows,
        "session",
        assurance=told["assurance"],
        credential=told["id"],
        authenticated_at=datetime.fromisoformat(told["at"]),
    )


def _told(accounts: Accounts, cookie: str) -> dict[str, Any] | None:
    try:
        content = accounts.sealer.open(SEALED, cookie, now=accounts.now()).content
    except BadCredential:
        return None
    told: dict[str, Any] = orjson.loads(content)
    return told


def resealed(accounts: Accounts, cookie: str) -> tuple[str, datetime] | None:
    """A sealed session that is used lives on, up to its end; None while there is time."""
    if accounts.options.sessions != "cookie":
        return None
    now = accounts.now()
    try:
        opened = accounts.sealer.open(SEALED, cookie, now=now)
    except BadCredential:
        return None
    if now - opened.issued_at < accounts.options.idle / TOUCHES_PER_LIFE:
        return None
    told = orjson.loads(opened.content)
    ends = datetime.fromisoformat(told["ends"])
    lifetime = min(accounts.options.idle, ends - now)
    return accounts.sealer.seal(SEALED, opened.content, now=now, lifetime=lifetime), ends


def refreshed(proof: Proof, *, assurance: int, methods: Sequence[str], at: datetime) -> Proof:
    """The same person, who has proved it again or by more."""
    joined = tuple(dict.fromkeys([*proof.methods, *methods]))
    return replace(proof, assurance=max(proof.assurance, assurance), methods=joined, at=at)
