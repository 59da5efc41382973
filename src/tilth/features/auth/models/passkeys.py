"""Passkeys: kept, found by what their authenticator calls them, counted and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from tilth.features.auth.models.tables import PASSKEYS
from tilth.kit.ids import uuid7

MOST_PASSKEYS = 25
"""Of one account: all of them are named to a browser that adds another."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What an authenticator made. public_key: CBOR of COSE. transports: how it can be reached."""

    credential_id: bytes
    public_key: bytes
    user_handle: bytes
    sign_count: int
    transports: tuple[str, ...]
    is_backup_eligible: bool
    is_backed_up: bool


@dataclass(frozen=True, slots=True)
class Passkey:
    """One that is kept. opens_alone: without another factor beside it."""

    id: UUID
    user_id: UUID
    credential_id: bytes
    public_key: bytes
    user_handle: bytes
    sign_count: int
    transports: str
    is_backup_eligible: bool
    is_backed_up: bool
    opens_alone: bool
    name: str
    created_at: datetime
    last_used_at: datetime | None


def new_passkey(session: Session, user_id: UUID, name: str, new: NewPasskey, now: datetime) -> UUID:
    """Raises IntegrityError when there is one of this credential id, of whomever."""
    made = uuid7()
    session.execute(
        insert(PASSKEYS).values(
            id=made,
            user_id=user_id,
            credential_id=new.credential_id,
            public_key=new.public_key,
            user_handle=new.user_handle,
            sign_count=new.sign_count,
            transports=" ".join(new.transports),
            is_backup_eligible=new.is_backup_eligible,
            is_backed_up=new.is_backed_up,
            opens_alone=True,
            name=name,
            created_at=now,
        )
    )
    return made


def passkeys_of(session: Session, user_id: UUID) -> Sequence[Passkey]:
    """Oldest first."""
    asked = select(PASSKEYS).where(PASSKEYS.c.user_id == user_id).order_by(PASSKEYS.c.id)
    rows = session.execute(asked.limit(MOST_PASSKEYS)).mappings()
    return [_passkey(row) for row in rows]


def passkey_by_credential(session: Session, credential_id: bytes) -> Passkey | None:
    asked = select(PASSKEYS).where(PASSKEYS.c.credential_id == credential_id)
    row = session.execute(asked).mappings().one_or_none()
    return None if row is None else _passkey(row)


def use_count(
    session: Session, passkey_id: UUID, count: int, now: datetime, *, is_backed_up: bool
) -> bool:
    """Uses up a count of signatures and all before it. False when it, or a later one, was used already.

    Authenticators that do not count say 0 each time (WebAuthn Level 3 section 6.1.1).
    """
    last = PASSKEYS.c.sign_count
    used = session.execute(
        update(PASSKEYS)
        .where(PASSKEYS.c.id == passkey_id, last < count if count else last == 0)
        .values(sign_count=count, last_used_at=now, is_backed_up=is_backed_up)
        .returning(PASSKEYS.c.id)
    )
    return used.one_or_none() is not None


def rename_passkey(session: Session, passkey_id: UUID, user_id: UUID, name: str) -> bool:
    renamed = session.execute(
        update(PASSKEYS)
        .where(PASSKEYS.c.id == passkey_id, PASSKEYS.c.user_id == user_id)
        .values(name=name)
        .returning(PASSKEYS.c.id)
    )
    return renamed.one_or_none() is not None


def remove_passkey(session: Session, passkey_id: UUID, user_id: UUID) -> str | None:
    """The name of the one that was removed; None when this user has no such passkey."""
    return session.scalar(
        delete(PASSKEYS)
        .where(PASSKEYS.c.id == passkey_id, PASSKEYS.c.user_id == user_id)
        .returning(PASSKEYS.c.name)
    )


def only_second(session: Session, user_id: UUID) -> None:
    """The passkeys that a user has open nothing alone any more."""
    session.execute(update(PASSKEYS).where(PASSKEYS.c.user_id == user_id).values(opens_alone=False))


def _passkey(row: Any) -> Passkey:
    return Passkey(**{each.name: row[each.name] for each in fields(Passkey)})
