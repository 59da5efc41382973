"""Accounts: found by what identifies them, made, changed, disabled and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from tilth.features.auth.models.tables import FACTORS, PASSKEYS, PASSWORDS, USERS
from tilth.features.auth.service.names import Name
from tilth.kit.ids import uuid7


@dataclass(frozen=True, slots=True)
class Account:
    """A user as flows need it. hash: of the password, None without one.

    factors: second ones, passkeys among them; passkeys: how many of these they are.
    """

    id: UUID
    username: str | None
    email: str | None
    email_key: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    created_at: datetime
    disabled_at: datetime | None
    epoch: int
    hash: str | None
    password_changed_at: datetime | None
    factors: int
    passkeys: int

    @property
    def label(self) -> str:
        """What to call them."""
        return self.username or self.email or self.phone or str(self.id)


def account_by_id(session: Session, user_id: UUID, *, lock: bool = False) -> Account | None:
    """lock: nobody else changes it until the transaction ends."""
    return _account(session, USERS.c.id == user_id, lock=lock)


def account_by_names(session: Session, names: list[Name]) -> Account | None:
    """The one that any of these names identifies; the first of them that there is."""
    for name in names:
        found = _account(session, USERS.c[f"{name.kind}_key"] == name.key)
        if found is not None:
            return found
    return None


def is_taken(session: Session, name: Name) -> bool:
    column = USERS.c[f"{name.kind}_key"]
    return session.scalar(select(USERS.c.id).where(column == name.key)) is not None


def new_account(
    session: Session,
    names: list[Name],
    hash_: str | None,
    now: datetime,
    *,
    verified: frozenset[str] = frozenset(),
) -> UUID:
    """verified: the kinds of names that are proved. Raises IntegrityError when one is taken."""
    made = uuid7()
    values: dict[str, Any] = {"id": made, "created_at": now, "epoch": 0}
    for name in names:
        values |= {name.kind: name.shown, f"{name.kind}_key": name.key}
        if name.kind in verified:
            values[f"{name.kind}_verified_at"] = now
    session.execute(insert(USERS).values(values))
    if hash_ is not None:
        session.execute(insert(PASSWORDS).values(user_id=made, hash=hash_, changed_at=now))
    return made


def set_password(session: Session, user_id: UUID, hash_: str, now: datetime) -> None:
    """A new password of theirs."""
    values = {"hash": hash_, "changed_at": now}
    changed = session.execute(
        update(PASSWORDS).where(PASSWORDS.c.user_id == user_id).values(values)
    )
    if changed.rowcount == 0:  # type: ignore[attr-defined]
        session.execute(insert(PASSWORDS).values(user_id=user_id, **values))


def drop_password(session: Session, user_id: UUID) -> None:
    """None opens the account until another is set."""
    session.execute(delete(PASSWORDS).where(PASSWORDS.c.user_id == user_id))


def rehash(session: Session, user_id: UUID, old: str, new: str) -> None:
    """The same password by a better algorithm, unless it was changed meanwhile."""
    session.execute(
        update(PASSWORDS)
        .where(PASSWORDS.c.user_id == user_id, PASSWORDS.c.hash == old)
        .values(hash=new)
    )


def raise_epoch(session: Session, user_id: UUID) -> None:
    """Makes every signed cookie and access token of before worthless."""
    session.execute(update(USERS).where(USERS.c.id == user_id).values(epoch=USERS.c.epoch + 1))


def change(session: Session, user_id: UUID, values: Mapping[str, Any]) -> None:
    session.execute(update(USERS).where(USERS.c.id == user_id).values(dict(values)))


def delete_account(session: Session, user_id: UUID) -> None:
    """And all that is theirs in Tilth's own tables, by their foreign keys."""
    session.execute(delete(USERS).where(USERS.c.id == user_id))


def list_accounts(session: Session, search: str | None, limit: int) -> list[Account]:
    """Oldest first. search: part of a normal form."""
    asked = _accounts().order_by(USERS.c.id).limit(limit)
    if search:
        keys = (USERS.c.username_key, USERS.c.email_key, USERS.c.phone_key)
        asked = asked.where(or_(*(key.contains(search.lower(), autoescape=True) for key in keys)))
    return [Account(**row) for row in session.execute(asked).mappings()]


def has_accounts(session: Session) -> bool:
    return session.scalar(select(USERS.c.id).limit(1)) is not None


def _account(
    session: Session, condition: ColumnElement[bool], *, lock: bool = False
) -> Account | None:
    asked = _accounts().where(condition)
    if lock:
        asked = asked.with_for_update(of=USERS)
    row = session.execute(asked).mappings().one_or_none()
    return None if row is None else Account(**row)


def _accounts() -> Any:
    factors = (
        select(func.count())
        .select_from(FACTORS)
        .where(FACTORS.c.user_id == USERS.c.id, FACTORS.c.confirmed_at.is_not(None))
        .scalar_subquery()
    )
    passkeys = (
        select(func.count())
        .select_from(PASSKEYS)
        .where(PASSKEYS.c.user_id == USERS.c.id)
        .scalar_subquery()
    )
    return select(
        USERS.c.id,
        USERS.c.username,
        USERS.c.email,
        USERS.c.email_key,
        USERS.c.email_verified_at,
        USERS.c.phone,
        USERS.c.phone_verified_at,
        USERS.c.created_at,
        USERS.c.disabled_at,
        USERS.c.epoch,
        PASSWORDS.c.hash,
        PASSWORDS.c.changed_at.label("password_changed_at"),
        (factors + passkeys).label("factors"),
        passkeys.label("passkeys"),
    ).select_from(USERS.outerjoin(PASSWORDS, PASSWORDS.c.user_id == USERS.c.id))
