"""API keys: made, found, rotated and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from tilth.features.auth.models.identity import IDENTITY, with_identity
from tilth.features.auth.models.tables import API_KEYS, USERS
from tilth.kit.ids import uuid7

MOST_KEYS = 100
"""Of one user."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """lookup: the part of the key that is no secret. scopes, addresses: separated by spaces."""

    lookup: str
    digest: bytes
    user_id: UUID
    name: str
    scopes: str | None
    addresses: str | None
    expires_at: datetime | None


def new_key(session: Session, key: NewKey, now: datetime) -> UUID:
    made = uuid7()
    session.execute(
        insert(API_KEYS).values(
            id=made,
            lookup=key.lookup,
            digest=key.digest,
            user_id=key.user_id,
            name=key.name,
            scopes=key.scopes,
            addresses=key.addresses,
            created_at=now,
            expires_at=key.expires_at,
        )
    )
    return made


def key_look() -> Select[Any]:
    """The key with a lookup, and who it is of; a row for each role and permission."""
    expires = API_KEYS.c.expires_at
    now = bindparam("now", type_=expires.type)
    source = with_identity(API_KEYS.join(USERS, USERS.c.id == API_KEYS.c.user_id))
    return (
        select(
            API_KEYS.c.id.label("key_id"),
            API_KEYS.c.digest,
            API_KEYS.c.scopes,
            API_KEYS.c.addresses,
            API_KEYS.c.created_at,
            API_KEYS.c.last_used_at,
            API_KEYS.c.expires_at,
            *IDENTITY,
        )
        .select_from(source)
        .where(
            API_KEYS.c.lookup == bindparam("lookup"),
            or_(expires.is_(None), expires > now),
            USERS.c.disabled_at.is_(None),
        )
    )


def touch_key(session: Session, key_id: UUID, now: datetime) -> None:
    session.execute(update(API_KEYS).where(API_KEYS.c.id == key_id).values(last_used_at=now))


def keys_of(session: Session, user_id: UUID) -> Sequence[Any]:
    """Newest first, expired ones too."""
    asked = select(API_KEYS).where(API_KEYS.c.user_id == user_id).order_by(API_KEYS.c.id.desc())
    return session.execute(asked.limit(MOST_KEYS)).mappings().all()


def key_of(session: Session, key_id: UUID, user_id: UUID) -> Any:
    asked = select(API_KEYS).where(API_KEYS.c.id == key_id, API_KEYS.c.user_id == user_id)
    return session.execute(asked).mappings().one_or_none()


def replace_key(session: Session, key_id: UUID, by: UUID, until: datetime) -> bool:
    """Lets the old key overlap with the new one until then. False when it was replaced before."""
    changed = session.execute(
        update(API_KEYS)
        .where(API_KEYS.c.id == key_id, API_KEYS.c.replaced_by.is_(None))
        .values(replaced_by=by, expires_at=until)
        .returning(API_KEYS.c.id)
    )
    return changed.one_or_none() is not None


def revoke_key(session: Session, key_id: UUID, user_id: UUID) -> bool:
    gone = session.execute(
        delete(API_KEYS)
        .where(API_KEYS.c.id == key_id, API_KEYS.c.user_id == user_id)
        .returning(API_KEYS.c.id)
    )
    return gone.one_or_none() is not None


def revoke_keys(session: Session, user_id: UUID) -> None:
    session.execute(delete(API_KEYS).where(API_KEYS.c.user_id == user_id))
