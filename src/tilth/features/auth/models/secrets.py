"""Secrets that are good for one use: made, tried and used up, each by one statement.

Using up is a conditional UPDATE: of any number that arrive at once, the database lets one through.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.orm import Session

from tilth.features.auth.models.tables import SECRETS
from tilth.kit.ids import uuid7

Kind = Literal[
    "sign_up",
    "first_admin",
    "invitation",
    "verify_email",
    "change_email",
    "reset",
    "magic_link",
    "sign_in",
    "recovery",
    "passkey_sign_in",
    "passkey_factor",
    "passkey_step_up",
    "passkey_enrol",
    "mail_code",
    "trusted_device",
]

FORGOTTEN_AT_ONCE = 200
"""Rows of one clearing, so that no request is slow because of those before it."""

MOST_LISTED = 100


@dataclass(frozen=True, slots=True)
class NewSecret:
    """digest: of the secret itself. bound_to: digest of the address or session it is good for.

    attempts: what may be tried with it, for those that somebody could guess.
    """

    kind: Kind
    digest: bytes
    expires_at: datetime
    user_id: UUID | None = None
    bound_to: bytes | None = None
    data: Mapping[str, Any] | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Secret:
    """One that was found. created_at: so that what came later can make it worthless."""

    id: UUID
    user_id: UUID | None
    bound_to: bytes | None
    data: Mapping[str, Any]
    created_at: datetime


def issue(session: Session, new: NewSecret, now: datetime) -> UUID:
    """Also clears some of those that have long expired."""
    made = uuid7()
    session.execute(
        insert(SECRETS).values(
            id=made,
            kind=new.kind,
            digest=new.digest,
            user_id=new.user_id,
            bound_to=new.bound_to,
            data=None if new.data is None else dict(new.data),
            attempts_left=new.attempts,
            created_at=now,
            expires_at=new.expires_at,
        )
    )
    return made


def consume(
    session: Session, kind: Kind, digest: bytes, now: datetime, *, user_id: UUID | None = None
) -> Secret | None:
    """None for one that is unknown, used up, expired, of another kind or of another user."""
    terms = [*_usable(kind, digest, now), *((SECRETS.c.user_id == user_id,) if user_id else ())]
    return _changed(session, terms, consumed_at=now)


def usable(session: Session, kind: Kind, digest: bytes, now: datetime) -> Secret | None:
    """Only looked at: it opens nothing until it is consumed or tried."""
    found = session.execute(select(*_FOUND).where(*_usable(kind, digest, now))).one_or_none()
    return None if found is None else _secret_from(found)


def attempt(session: Session, kind: Kind, digest: bytes, now: datetime) -> Secret | None:
    """Counts one try with it, before anything is compared. None when there are none left."""
    terms = [*_usable(kind, digest, now), SECRETS.c.attempts_left > 0]
    return _changed(session, terms, attempts_left=SECRETS.c.attempts_left - 1)


def waiting(session: Session, kind: Kind, digest: bytes, now: datetime) -> Secret | None:
    """One that may still be tried, without counting: for answers that nobody can guess."""
    terms = (*_usable(kind, digest, now), SECRETS.c.attempts_left > 0)
    found = session.execute(select(*_FOUND).where(*terms)).one_or_none()
    return None if found is None else _secret_from(found)


def consume_known(session: Session, secret: Secret, now: datetime) -> bool:
    """Uses up one that was tried before. False when somebody else came first."""
    terms = [SECRETS.c.id == secret.id, SECRETS.c.consumed_at.is_(None)]
    return _changed(session, terms, consumed_at=now) is not None


def forget(session: Session, kind: Kind, digest: bytes) -> None:
    """Makes room for another of the same digest."""
    session.execute(delete(SECRETS).where(SECRETS.c.kind == kind, SECRETS.c.digest == digest))


def revoke(session: Session, user_id: UUID, kinds: Collection[Kind]) -> None:
    """Those of a user that wait to be used."""
    session.execute(delete(SECRETS).where(SECRETS.c.user_id == user_id, SECRETS.c.kind.in_(kinds)))


def listed(session: Session, user_id: UUID, kind: Kind, now: datetime) -> Sequence[Any]:
    """Those of a kind that a user could still use, newest first; never what they are known by."""
    shown = (SECRETS.c.id, SECRETS.c.created_at, SECRETS.c.expires_at, SECRETS.c.data)
    asked = (
        select(*shown)
        .where(
            SECRETS.c.user_id == user_id,
            SECRETS.c.kind == kind,
            SECRETS.c.consumed_at.is_(None),
            SECRETS.c.expires_at > now,
        )
        .order_by(SECRETS.c.id.desc())
        .limit(MOST_LISTED)
    )
    return session.execute(asked).mappings().all()


def revoke_one(session: Session, user_id: UUID, kind: Kind, secret_id: UUID) -> bool:
    """False when this user has none of this kind and id."""
    terms = (SECRETS.c.id == secret_id, SECRETS.c.user_id == user_id, SECRETS.c.kind == kind)
    gone = session.execute(delete(SECRETS).where(*terms).returning(SECRETS.c.id))
    return gone.one_or_none() is not None


def left(session: Session, user_id: UUID, kind: Kind, now: datetime) -> int:
    """How many of a kind a user could still use."""
    found = session.scalars(
        select(SECRETS.c.id).where(
            SECRETS.c.user_id == user_id,
            SECRETS.c.kind == kind,
            SECRETS.c.consumed_at.is_(None),
            SECRETS.c.expires_at > now,
        )
    )
    return len(found.all())


def clear(session: Session, before: datetime) -> None:
    """Some of those that expired before then."""
    expired = (
        select(SECRETS.c.id)
        .where(SECRETS.c.expires_at < before)
        .order_by(SECRETS.c.expires_at)
        .limit(FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(SECRETS).where(SECRETS.c.id.in_(expired)))


def _usable(kind: Kind, digest: bytes, now: datetime) -> list[ColumnElement[bool]]:
    return [
        SECRETS.c.kind == kind,
        SECRETS.c.digest == digest,
        SECRETS.c.consumed_at.is_(None),
        SECRETS.c.expires_at > now,
    ]


def _changed(
    session: Session, terms: Collection[ColumnElement[bool]], **values: object
) -> Secret | None:
    changed = update(SECRETS).where(*terms).values(values).returning(*_FOUND)
    found = session.execute(changed).one_or_none()
    return None if found is None else _secret_from(found)


def _secret_from(row: Any) -> Secret:
    return Secret(row.id, row.user_id, row.bound_to, row.data or {}, row.created_at)


_FOUND = (
    SECRETS.c.id,
    SECRETS.c.user_id,
    SECRETS.c.bound_to,
    SECRETS.c.data,
    SECRETS.c.created_at,
)
