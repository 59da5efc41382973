"""Sessions: begun, found, kept alive, listed and ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from tilth.features.auth.models.audit import Origin
from tilth.features.auth.models.identity import IDENTITY, with_identity
from tilth.features.auth.models.tables import SESSIONS, USERS
from tilth.kit.ids import uuid7


@dataclass(frozen=True, slots=True)
class Proof:
    """How somebody proved who they are. methods: `pwd`, `otp` … of RFC 8176."""

    user_id: UUID
    assurance: int
    methods: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Life:
    """How long a session lasts: without a request, and at most."""

    idle: timedelta
    absolute: timedelta


def begin_session(
    session: Session,
    digest: bytes,
    proof: Proof,
    life: Life,
    now: datetime,
    origin: Origin,
    *,
    impersonator_id: UUID | None = None,
    reason: str | None = None,
) -> UUID:
    made = uuid7()
    ends = now + life.absolute
    session.execute(
        insert(SESSIONS).values(
            id=made,
            digest=digest,
            user_id=proof.user_id,
            created_at=now,
            authenticated_at=proof.at,
            seen_at=now,
            idle_until=min(now + life.idle, ends),
            expires_at=ends,
            idle_seconds=int(life.idle.total_seconds()),
            assurance=proof.assurance,
            methods=" ".join(proof.methods),
            address=origin.address,
            agent=origin.agent,
            impersonator_id=impersonator_id,
            reason=reason,
        )
    )
    return made


def session_look() -> Select[Any]:
    """The session with a digest, and who it is of; a row for each role and permission."""
    support = USERS.alias("support")
    found = select(
        SESSIONS.c.id.label("session_id"),
        SESSIONS.c.assurance,
        SESSIONS.c.methods,
        SESSIONS.c.authenticated_at,
        SESSIONS.c.seen_at,
        SESSIONS.c.idle_seconds,
        SESSIONS.c.expires_at,
        SESSIONS.c.impersonator_id,
        *IDENTITY,
    )
    now = bindparam("now", type_=SESSIONS.c.expires_at.type)
    source = with_identity(SESSIONS.join(USERS, USERS.c.id == SESSIONS.c.user_id))
    return found.select_from(
        source.outerjoin(support, support.c.id == SESSIONS.c.impersonator_id)
    ).where(
        SESSIONS.c.digest == bindparam("digest"),
        SESSIONS.c.idle_until > now,
        SESSIONS.c.expires_at > now,
        USERS.c.disabled_at.is_(None),
        or_(SESSIONS.c.impersonator_id.is_(None), support.c.disabled_at.is_(None)),
    )


def touch(session: Session, session_id: UUID, idle_until: datetime, now: datetime) -> None:
    session.execute(
        update(SESSIONS)
        .where(SESSIONS.c.id == session_id)
        .values(seen_at=now, idle_until=idle_until)
    )


def sessions_of(session: Session, user_id: UUID, now: datetime) -> Sequence[Any]:
    """Those that could still be used, newest first."""
    return (
        session.execute(
            select(SESSIONS)
            .where(
                SESSIONS.c.user_id == user_id,
                SESSIONS.c.idle_until > now,
                SESSIONS.c.expires_at > now,
            )
            .order_by(SESSIONS.c.id.desc())
            .limit(200)
        )
        .mappings()
        .all()
    )


def end_session(session: Session, session_id: UUID, user_id: UUID) -> bytes | None:
    """The digest of the one that was ended; None when this user has no such session."""
    return session.scalar(
        delete(SESSIONS)
        .where(SESSIONS.c.id == session_id, SESSIONS.c.user_id == user_id)
        .returning(SESSIONS.c.digest)
    )


def end_by_digest(session: Session, digest: bytes) -> Any:
    """Id and user of the one that was ended; None when there is none."""
    gone = delete(SESSIONS).where(SESSIONS.c.digest == digest)
    return session.execute(gone.returning(SESSIONS.c.id, SESSIONS.c.user_id)).one_or_none()


def end_sessions(session: Session, user_id: UUID, *, but: UUID | None = None) -> list[bytes]:
    """The digests of those ended: all of a user, or all but one; those acted in for support too."""
    whose = or_(SESSIONS.c.user_id == user_id, SESSIONS.c.impersonator_id == user_id)
    terms = [whose] if but is None else [whose, SESSIONS.c.id != but]
    return list(session.scalars(delete(SESSIONS).where(*terms).returning(SESSIONS.c.digest)))


def clear_sessions(session: Session, before: datetime) -> None:
    old = (
        select(SESSIONS.c.id)
        .where(SESSIONS.c.expires_at < before)
        .limit(200)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(SESSIONS).where(SESSIONS.c.id.in_(old)))
