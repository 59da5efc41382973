"""Whose credential it is: the columns that every way of signing in looks up in its one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Join, Select, bindparam, exists, literal_column, or_, select

from tilth.features.auth.models.tables import (
    FACTORS,
    PASSKEYS,
    PASSWORDS,
    PERMISSIONS,
    REFRESH_TOKENS,
    ROLES,
    USER_ROLES,
    USERS,
)

IDENTITY = (
    USERS.c.id.label("user_id"),
    USERS.c.epoch,
    USER_ROLES.c.role,
    PERMISSIONS.c.name.label("permission"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is, and what was granted to them. permissions: those of roles in the database."""

    id: UUID
    epoch: int
    roles: frozenset[str]
    permissions: frozenset[str]


def with_identity(source: Any) -> Join:
    """source: joined with users already. A row for each role, and for each permission of it."""
    joined: Join = (
        source.outerjoin(USER_ROLES, USER_ROLES.c.user_id == USERS.c.id)
        .outerjoin(ROLES, ROLES.c.name == USER_ROLES.c.role)
        .outerjoin(PERMISSIONS, PERMISSIONS.c.role_id == ROLES.c.id)
    )
    return joined


def identity_from(rows: Sequence[Mapping[str, Any]]) -> Identity:
    """rows: at least one, all of the same user."""
    first = rows[0]
    roles = frozenset(row["role"] for row in rows if row["role"] is not None)
    permissions = frozenset(row["permission"] for row in rows if row["permission"] is not None)
    return Identity(UUID(str(first["user_id"])), first["epoch"], roles, permissions)


def user_look() -> Select[Any]:
    """The user with an id, unless disabled."""
    return (
        select(*IDENTITY)
        .select_from(with_identity(USERS))
        .where(USERS.c.id == bindparam("user_id"), USERS.c.disabled_at.is_(None))
    )


def account_look() -> Select[Any]:
    """The columns of the user with an id."""
    return select(*USERS.c).where(USERS.c.id == bindparam("user_id"), USERS.c.disabled_at.is_(None))


def token_look() -> Select[Any]:
    """The same, while what came from one sign-in by token has not been ended."""
    alive = exists(
        select(literal_column("1")).where(
            REFRESH_TOKENS.c.family == bindparam("family", type_=REFRESH_TOKENS.c.family.type)
        )
    )
    return user_look().where(alive)


def password_look() -> Select[Any]:
    """The user with one of three normal forms, and the hash of their password.

    A normal form that is not asked for is NULL, which no row equals.
    """
    keys = (USERS.c.username_key, USERS.c.email_key, USERS.c.phone_key)
    asked = [key == bindparam(key.name, type_=key.type) for key in keys]
    source = USERS.outerjoin(PASSWORDS, PASSWORDS.c.user_id == USERS.c.id)
    one: ColumnElement[int] = literal_column("1")
    has_seed = exists(
        select(one).where(FACTORS.c.user_id == USERS.c.id, FACTORS.c.confirmed_at.is_not(None))
    )
    has_passkey = exists(select(one).where(PASSKEYS.c.user_id == USERS.c.id))
    return (
        select(*IDENTITY, PASSWORDS.c.hash, or_(has_seed, has_passkey).label("has_factor"))
        .select_from(with_identity(source))
        .where(asked[0] | asked[1] | asked[2], USERS.c.disabled_at.is_(None))
    )
