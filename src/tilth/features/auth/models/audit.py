"""What has happened to accounts: one row for each act that bears on security, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from tilth.features.auth.models.tables import AUDIT
from tilth.kit.ids import uuid7

MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as far as it can be told. agent: what the client calls itself."""

    address: str | None = None
    agent: str | None = None
    request_id: str | None = None
    actor_id: UUID | None = None
    impersonator_id: UUID | None = None
    credential: str | None = None


NOWHERE = Origin()


def record(
    session: Session,
    type_: str,
    now: datetime,
    origin: Origin,
    *,
    user_id: UUID | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """type_: such as "password.changed". data: never a secret, nor part of one."""
    session.execute(
        insert(AUDIT).values(
            id=uuid7(),
            at=now,
            type=type_,
            user_id=user_id,
            actor_id=origin.actor_id or user_id,
            impersonator_id=origin.impersonator_id,
            credential=origin.credential,
            address=origin.address,
            agent=origin.agent,
            request_id=origin.request_id,
            data=None if data is None else dict(data),
        )
    )


def history(session: Session, user_id: UUID, limit: int = MOST_SHOWN) -> list[Mapping[str, Any]]:
    """What happened to one account, newest first."""
    shown = (AUDIT.c.at, AUDIT.c.type, AUDIT.c.address, AUDIT.c.agent, AUDIT.c.impersonator_id)
    asked = select(*shown).where(AUDIT.c.user_id == user_id).order_by(AUDIT.c.id.desc())
    return [dict(row) for row in session.execute(asked.limit(limit)).mappings()]
