"""Access and refresh tokens: given out after a proof, and again for a refresh token that is used once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.orm import Session

from tilth.errors import BadRequest, Unauthenticated
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.refresh import (
    Grant,
    Spent,
    end_family,
    family_of,
    is_unused,
    new_refresh,
    spent_refresh,
    use_refresh,
)
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.service.accounts import Accounts, flat
from tilth.features.auth.service.guard import admit
from tilth.features.auth.service.jose.encoding import encoded
from tilth.features.auth.service.origins import neighbourhood_of
from tilth.kit.ids import uuid7
from tilth.kit.secrets import keyed_digest, new_token, token_digest

GRACE = timedelta(seconds=30)
"""For an answer that was lost on its way: the same client asks again and gets the same token."""


@dataclass(frozen=True, slots=True)
class Pair:
    """expires_in: seconds of the access token. scopes: None for no limit."""

    access: str
    refresh: str
    expires_in: int
    scopes: str | None


def grant(
    accounts: Accounts,
    session: Session,
    proof: Proof,
    now: datetime,
    origin: Origin,
    *,
    epoch: int,
    scopes: Sequence[str] | None = None,
) -> Pair:
    """The first pair of a family."""
    made = Grant(uuid7(), proof, epoch, flat(scopes), now + accounts.options.refresh)
    refresh = new_token()
    new_refresh(session, token_digest(refresh), made, now, origin)
    return _pair(accounts, made, refresh, now)


async def renew(
    accounts: Accounts, refresh: str, origin: Origin, scopes: Sequence[str] | None = None
) -> Pair:
    """Raises Unauthenticated for a token that is unknown, over or used before, and TooManyRequests.

    One that was used before ends all that came from the same sign-in: two have it, and one of them
    should not. scopes: fewer than were granted, for the access token only.
    """
    digest, client = token_digest(refresh), _client(origin)
    successor = encoded(keyed_digest(accounts.keys.refresh, "successor", refresh))

    def renewed(session: Session, now: datetime) -> Grant | Literal["reused"] | None:
        used = use_refresh(session, digest, client, now)
        if used is not None:
            new_refresh(session, token_digest(successor), used, now, origin)
            return used
        spent = spent_refresh(session, digest)
        if spent is None:
            return None
        if _may_ask_again(session, spent, client, successor, now):
            return spent.grant
        end_family(session, spent.grant.family)
        record(session, "refresh.reused", now, origin, user_id=spent.grant.proof.user_id)
        return "reused"

    admission = await accounts.run(
        lambda session, now: admit(session, accounts.options.limits, origin, now, cost="refresh")
    )
    admission.check()
    found = await accounts.run(renewed)
    if found == "reused":
        accounts.actors.forget()
    if found is None or found == "reused":
        raise Unauthenticated(
            "The refresh token is not good any more. Sign in again.", code="invalid_grant"
        )
    return _pair(accounts, found, successor, accounts.now(), narrowed(found, scopes))


async def revoke_tokens(accounts: Accounts, refresh: str, origin: Origin) -> None:
    """Everything that came from the same sign-in. Nothing is told of a token that is unknown."""

    def revoked(session: Session, now: datetime) -> None:
        found = family_of(session, token_digest(refresh))
        if found is not None:
            end_family(session, found.family)
            record(session, "sign_out", now, origin, user_id=found.user_id)

    await accounts.changed(revoked)


def narrowed(granted: Grant, scopes: Sequence[str] | None) -> str | None:
    """Raises BadRequest for scopes that were not granted."""
    if scopes is None:
        return granted.scopes
    held = None if granted.scopes is None else set(granted.scopes.split())
    beyond = [] if held is None else [each for each in scopes if each not in held]
    if beyond:
        raise BadRequest("This goes beyond the scopes that were granted.", code="invalid_scope")
    return flat(scopes)


def _may_ask_again(
    session: Session, spent: Spent, client: bytes, successor: str, now: datetime
) -> bool:
    is_same_request = spent.by == client and now - spent.at <= GRACE
    return is_same_request and is_unused(session, token_digest(successor))


def _pair(
    accounts: Accounts, made: Grant, refresh: str, now: datetime, scopes: str | None = None
) -> Pair:
    limited = scopes if scopes is not None else made.scopes
    access = accounts.tokens.sign(made.proof, made.family, made.epoch, limited, now)
    return Pair(access, refresh, int(accounts.tokens.lifetime.total_seconds()), limited)


def _client(origin: Origin) -> bytes:
    return token_digest(f"{neighbourhood_of(origin.address)} {origin.agent}")
