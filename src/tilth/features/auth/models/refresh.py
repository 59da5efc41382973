"""Refresh tokens: each is used once for its successor, and one that comes back ends its family."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from tilth.features.auth.models.audit import Origin
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.tables import REFRESH_TOKENS, USERS
from tilth.kit.ids import uuid7


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh token stands for. scopes: None for all that its user may."""

    family: UUID
    proof: Proof
    epoch: int
    scopes: str | None
    expires_at: datetime


def new_refresh(
    session: Session, digest: bytes, grant: Grant, now: datetime, origin: Origin
) -> None:
    session.execute(
        insert(REFRESH_TOKENS).values(
            id=uuid7(),
            digest=digest,
            family=grant.family,
            user_id=grant.proof.user_id,
            created_at=now,
            authenticated_at=grant.proof.at,
            expires_at=grant.expires_at,
            epoch=grant.epoch,
            assurance=grant.proof.assurance,
            methods=" ".join(grant.proof.methods),
            scopes=grant.scopes,
            address=origin.address,
            agent=origin.agent,
        )
    )


def use_refresh(session: Session, digest: bytes, client: bytes, now: datetime) -> Grant | None:
    """Uses it up. None when it is unknown, expired or used, or its user may not sign in any more."""
    used = session.execute(
        update(REFRESH_TOKENS)
        .where(
            REFRESH_TOKENS.c.digest == digest,
            REFRESH_TOKENS.c.used_at.is_(None),
            REFRESH_TOKENS.c.expires_at > now,
            REFRESH_TOKENS.c.user_id == USERS.c.id,
            REFRESH_TOKENS.c.epoch == USERS.c.epoch,
            USERS.c.disabled_at.is_(None),
        )
        .values(used_at=now, used_by=client)
        .returning(*_GRANT)
    ).one_or_none()
    return None if used is None else _grant_from(used)


@dataclass(frozen=True, slots=True)
class Spent:
    """A refresh token that was used before. by: which client used it, and when."""

    grant: Grant
    by: bytes | None
    at: datetime


def spent_refresh(session: Session, digest: bytes) -> Spent | None:
    found = session.execute(
        select(*_GRANT, REFRESH_TOKENS.c.used_by, REFRESH_TOKENS.c.used_at).where(
            REFRESH_TOKENS.c.digest == digest, REFRESH_TOKENS.c.used_at.is_not(None)
        )
    ).one_or_none()
    return None if found is None else Spent(_grant_from(found), found.used_by, found.used_at)


def is_unused(session: Session, digest: bytes) -> bool:
    asked = select(REFRESH_TOKENS.c.id).where(
        REFRESH_TOKENS.c.digest == digest, REFRESH_TOKENS.c.used_at.is_(None)
    )
    return session.scalar(asked) is not None


def end_family(session: Session, family: UUID) -> None:
    session.execute(delete(REFRESH_TOKENS).where(REFRESH_TOKENS.c.family == family))


def family_of(session: Session, digest: bytes) -> Any:
    """Family and user of a token, used or not; None when it is unknown."""
    asked = select(REFRESH_TOKENS.c.family, REFRESH_TOKENS.c.user_id)
    return session.execute(asked.where(REFRESH_TOKENS.c.digest == digest)).one_or_none()


def end_families(session: Session, user_id: UUID) -> None:
    session.execute(delete(REFRESH_TOKENS).where(REFRESH_TOKENS.c.user_id == user_id))


def clear_refresh(session: Session, before: datetime) -> None:
    old = (
        select(REFRESH_TOKENS.c.id)
        .where(REFRESH_TOKENS.c.expires_at < before)
        .limit(200)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(REFRESH_TOKENS).where(REFRESH_TOKENS.c.id.in_(old)))


def _grant_from(row: Any) -> Grant:
    proof = Proof(row.user_id, row.assurance, tuple(row.methods.split()), row.authenticated_at)
    return Grant(row.family, proof, row.epoch, row.scopes, row.expires_at)


_GRANT = (
    REFRESH_TOKENS.c.family,
    REFRESH_TOKENS.c.user_id,
    REFRESH_TOKENS.c.authenticated_at,
    REFRESH_TOKENS.c.expires_at,
    REFRESH_TOKENS.c.epoch,
    REFRESH_TOKENS.c.assurance,
    REFRESH_TOKENS.c.methods,
    REFRESH_TOKENS.c.scopes,
)
