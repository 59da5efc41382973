"""Deliveries that are waiting: taken for a time, then made, put off or given back.

Nothing is ever skipped by comparing ids: an id is made before its transaction commits, so a lower
one may appear after a higher one was delivered. What waits is what has a row here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from tilth.kernel.events.event import Event
from tilth.kernel.store.outbox import DELIVERIES, EVENTS

MOST_TAKEN = 50
"""At once: those who take more keep others waiting if they die."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one subscriber. attempt: 1 for the first."""

    event: Event
    subscriber: str
    attempt: int


def waiting_subscribers(session: Session, names: Collection[str], now: datetime) -> list[str]:
    """Those of names that have a delivery due. One statement."""
    due = select(DELIVERIES.c.subscriber).where(DELIVERIES.c.subscriber.in_(names), _is_due(now))
    return list(session.scalars(due.distinct().order_by(DELIVERIES.c.subscriber)))


def take(session: Session, subscriber: str, now: datetime, until: datetime) -> list[Delivery]:
    """What is due, lowest id first; until then nobody else takes it.

    What was taken before is taken alone: whoever had it may have died of it, and what follows
    must not die along. Two statements. PostgreSQL passes over what another transaction is taking;
    SQLite has one writer.
    """
    asked = (
        select(DELIVERIES.c.attempts, EVENTS)
        .join(EVENTS, EVENTS.c.id == DELIVERIES.c.event_id)
        .where(DELIVERIES.c.subscriber == subscriber, _is_due(now))
        .order_by(DELIVERIES.c.event_id)
        .limit(MOST_TAKEN)
        .with_for_update(of=DELIVERIES, skip_locked=True)
    )
    rows = _safe_together(session.execute(asked).mappings().all())
    taken = [Delivery(_event_from(row), subscriber, row["attempts"] + 1) for row in rows]
    if taken:
        attempts = DELIVERIES.c.attempts + 1
        session.execute(
            update(DELIVERIES).where(_are(taken)).values(attempts=attempts, due_at=until)
        )
    return taken


def made(session: Session, deliveries: Sequence[Delivery]) -> None:
    """Of an attempt that came too late as well: the subscriber has had the event."""
    if deliveries:
        session.execute(delete(DELIVERIES).where(_are(deliveries)))


def put_off(session: Session, delivery: Delivery, due_at: datetime | None, failure: str) -> None:
    """due_at: of the next attempt; None gives it up, and keeps the row with the failure."""
    session.execute(
        update(DELIVERIES).where(_are_still([delivery])).values(due_at=due_at, failure=failure)
    )


def given_back(session: Session, deliveries: Sequence[Delivery], now: datetime) -> None:
    """Taken together and not tried: as if they had not been taken."""
    if deliveries:
        attempts = deliveries[0].attempt - 1
        session.execute(
            update(DELIVERIES).where(_are_still(deliveries)).values(attempts=attempts, due_at=now)
        )


def _is_due(now: datetime) -> ColumnElement[bool]:
    return DELIVERIES.c.due_at <= now


def _are(deliveries: Sequence[Delivery]) -> ColumnElement[bool]:
    """All are of one subscriber."""
    ids = [each.event.id for each in deliveries]
    return and_(DELIVERIES.c.subscriber == deliveries[0].subscriber, DELIVERIES.c.event_id.in_(ids))


def _are_still(deliveries: Sequence[Delivery]) -> ColumnElement[bool]:
    """And nobody else has taken them since. Those taken together are at the same attempt."""
    return and_(_are(deliveries), DELIVERIES.c.attempts == deliveries[0].attempt)


def _safe_together(rows: Sequence[Any]) -> Iterable[Any]:
    if rows and rows[0]["attempts"]:
        return rows[:1]
    return (row for row in rows if not row["attempts"])


def _event_from(row: Any) -> Event:
    key, at = tuple(row["key"]), row["at"]
    return Event(
        id=UUID(str(row["id"])),
        type=row["type"],
        resource=row["resource"],
        key=key,
        actor=row["actor"],
        # SQLite stores UTC and does not say so.
        at=at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC),
        before=row["before"],
        after=row["after"],
        request_id=row["request_id"],
        version=row["version"],
        reason=row["reason"],
    )
