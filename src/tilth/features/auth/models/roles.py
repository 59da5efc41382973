"""Roles: made in the database beside those declared in code, granted and taken away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from tilth.features.auth.models.tables import PERMISSIONS, ROLES, SESSIONS, USER_ROLES
from tilth.kit.ids import uuid7


def make_role(session: Session, name: str, permissions: Iterable[str], now: datetime) -> None:
    """Repeated, it adds permissions."""
    role_id = session.scalar(select(ROLES.c.id).where(ROLES.c.name == name))
    if role_id is None:
        role_id = uuid7()
        session.execute(insert(ROLES).values(id=role_id, name=name, created_at=now))
    held = set(session.scalars(select(PERMISSIONS.c.name).where(PERMISSIONS.c.role_id == role_id)))
    new = [
        {"role_id": role_id, "name": each}
        for each in dict.fromkeys(permissions)
        if each not in held
    ]
    if new:
        session.execute(insert(PERMISSIONS), new)


def stored_roles(session: Session) -> dict[str, frozenset[str]]:
    """Those of the database, with what they permit."""
    found: dict[str, set[str]] = {}
    joined = ROLES.outerjoin(PERMISSIONS, PERMISSIONS.c.role_id == ROLES.c.id)
    asked = select(ROLES.c.name, PERMISSIONS.c.name).select_from(joined).order_by(ROLES.c.name)
    for role, permission in session.execute(asked):
        found.setdefault(role, set()).update([permission] if permission else [])
    return {name: frozenset(permissions) for name, permissions in found.items()}


def roles_of(session: Session, user_id: UUID) -> frozenset[str]:
    asked = select(USER_ROLES.c.role).where(USER_ROLES.c.user_id == user_id)
    return frozenset(session.scalars(asked))


def is_held(session: Session, role: str) -> bool:
    """Whether anybody has it, disabled or not."""
    asked = select(USER_ROLES.c.user_id).where(USER_ROLES.c.role == role).limit(1)
    return session.scalar(asked) is not None


def grant(session: Session, user_id: UUID, role: str, now: datetime) -> bool:
    """False when they have it already."""
    if role in roles_of(session, user_id):
        return False
    session.execute(insert(USER_ROLES).values(user_id=user_id, role=role, granted_at=now))
    return True


def withdraw(session: Session, user_id: UUID, role: str) -> bool:
    """False when they do not have it. What they do as somebody else for support ends: it may be what
    allowed it.
    """
    session.execute(delete(SESSIONS).where(SESSIONS.c.impersonator_id == user_id))
    gone = session.execute(
        delete(USER_ROLES)
        .where(USER_ROLES.c.user_id == user_id, USER_ROLES.c.role == role)
        .returning(USER_ROLES.c.role)
    )
    return gone.one_or_none() is not None
