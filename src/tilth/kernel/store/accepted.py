"""Tilth's own table of requests that are carried out later, each with its answer once it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Uuid,
    delete,
    exists,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.sql import Select

from tilth.errors import ProblemError, Unavailable
from tilth.kernel.store.outbox import OWN

KEPT = timedelta(hours=24)
"""How long an answer can be asked for."""

LEFT_AFTER = timedelta(seconds=60)
"""Whoever accepted it carries it out sooner, or has died."""

MOST_LEFT = 100
"""Of what others have left: taken up at once."""

ACCEPTED = Table(
    "tilth_accepted",
    OWN,
    Column("id", Uuid, primary_key=True),
    # SHA-256 of who may ask for the answer.
    Column("owner", LargeBinary(32), nullable=False),
    Column("request", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("accepted_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    # Empty only inside the transaction that makes it.
    Column("answer", LargeBinary),
)
_WAITING = ACCEPTED.c.finished_at.is_(None)
Index(
    "ix_tilth_accepted_waiting",
    ACCEPTED.c.accepted_at,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
Index(None, ACCEPTED.c.finished_at)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was accepted. request: what of it is needed to carry it out, as JSON."""

    id: UUID
    owner: bytes
    request: Mapping[str, Any]
    body: bytes
    accepted_at: datetime


def accept(session: Session, work: Accepted) -> None:
    values = {"id": work.id, "owner": work.owner, "request": dict(work.request)}
    session.execute(
        insert(ACCEPTED), {**values, "body": work.body, "accepted_at": work.accepted_at}
    )


def carried_out(
    session: Session,
    work_id: UUID,
    now: datetime,
    do: Callable[[Session], bytes],
    refuse: Callable[[ProblemError], bytes],
) -> bytes | None:
    """What do answers, kept in the transaction in which it is done.

    refuse: what is answered in its place when it raises; then nothing of it is kept.
    None when it was carried out before. Waits while another transaction does it.
    """
    mine = (ACCEPTED.c.id == work_id) & _WAITING
    # Counted: MariaDB does not return what it has updated.
    claim = session.connection().execute(update(ACCEPTED).where(mine).values(finished_at=now))
    if claim.rowcount == 0:
        return None
    try:
        with session.begin_nested():
            answer = do(session)
    except Unavailable:
        raise
    except ProblemError as exc:
        session.expunge_all()
        answer = refuse(exc)
    session.execute(update(ACCEPTED).where(ACCEPTED.c.id == work_id).values(answer=answer))
    return answer


def work_to_find(dialect: Dialect, now: datetime) -> str:
    """SQL of one row: is there work that others have left, are there answers to forget?

    Nearly always neither is so, and then nothing has to be locked to know it.
    """
    columns = ACCEPTED.c
    left = exists(select(columns.id).where(_WAITING, columns.accepted_at < now - LEFT_AFTER))
    old = exists(select(columns.id).where(columns.finished_at < now - KEPT))
    asked = select(left, old).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return str(asked)


def left_by_others(session: Session, now: datetime) -> list[UUID]:
    """What was accepted a while ago and is not done."""
    columns = ACCEPTED.c
    waiting = select(columns.id).where(_WAITING, columns.accepted_at < now - LEFT_AFTER)
    return list(session.scalars(waiting.order_by(columns.accepted_at).limit(MOST_LEFT)))


def to_do(session: Session, work_id: UUID) -> Accepted | None:
    """None when it is done."""
    mine = (ACCEPTED.c.id == work_id) & _WAITING
    found = session.execute(select(ACCEPTED).where(mine)).one_or_none()
    if found is None:
        return None
    return Accepted(found.id, found.owner, found.request, found.body, found.accepted_at)


def forget(session: Session, now: datetime) -> None:
    session.execute(delete(ACCEPTED).where(ACCEPTED.c.finished_at < now - KEPT))


def asked_for(work_id: UUID, owner: bytes) -> Select[Any]:
    """One row or none: request, accepted_at, finished_at, answer."""
    columns = ACCEPTED.c
    chosen = select(columns.request, columns.accepted_at, columns.finished_at, columns.answer)
    return chosen.where(columns.id == work_id, columns.owner == owner)
