"""Second factors that are kept as a seed, such as an authenticator app."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from tilth.features.auth.models.tables import FACTORS
from tilth.kit.ids import uuid7

TOTP = "totp"
MAIL = "mail"


def new_factor(
    session: Session, user_id: UUID, kind: str, name: str, seed: bytes, now: datetime
) -> UUID:
    """Counts for nothing until it is confirmed. One that was left unconfirmed makes room."""
    session.execute(
        delete(FACTORS).where(
            FACTORS.c.user_id == user_id, FACTORS.c.kind == kind, FACTORS.c.confirmed_at.is_(None)
        )
    )
    made = uuid7()
    session.execute(
        insert(FACTORS).values(
            id=made, user_id=user_id, kind=kind, name=name, seed=seed, last_step=0, created_at=now
        )
    )
    return made


def factors_of(session: Session, user_id: UUID, *, confirmed: bool = True) -> Sequence[Any]:
    asked = select(FACTORS).where(FACTORS.c.user_id == user_id).order_by(FACTORS.c.id)
    if confirmed:
        asked = asked.where(FACTORS.c.confirmed_at.is_not(None))
    return session.execute(asked).mappings().all()


def use_step(session: Session, factor_id: UUID, step: int, now: datetime) -> bool:
    """Uses up a step and all before it. False when it, or a later one, was used already."""
    used = session.execute(
        update(FACTORS)
        .where(FACTORS.c.id == factor_id, FACTORS.c.last_step < step)
        .values(last_step=step, last_used_at=now)
        .returning(FACTORS.c.id)
    )
    return used.one_or_none() is not None


def confirm_factor(session: Session, factor_id: UUID, step: int, now: datetime) -> bool:
    confirmed = session.execute(
        update(FACTORS)
        .where(
            FACTORS.c.id == factor_id,
            FACTORS.c.confirmed_at.is_(None),
            FACTORS.c.last_step < step,
        )
        .values(confirmed_at=now, last_step=step)
        .returning(FACTORS.c.id)
    )
    return confirmed.one_or_none() is not None


def remove_factor(session: Session, factor_id: UUID, user_id: UUID) -> bool:
    gone = session.execute(
        delete(FACTORS)
        .where(FACTORS.c.id == factor_id, FACTORS.c.user_id == user_id)
        .returning(FACTORS.c.id)
    )
    return gone.one_or_none() is not None


def remove_factors(session: Session, user_id: UUID) -> None:
    session.execute(delete(FACTORS).where(FACTORS.c.user_id == user_id))
