"""Tilth's own tables of events and of their deliveries, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    event,
    insert,
)
from sqlalchemy.orm import Session

from tilth.kernel.events.event import Event
from tilth.kernel.store.unit import AFTERWARDS

OWN = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)
"""Tilth's own tables, beside the developer's in the same database."""

EVENTS = Table(
    "tilth_event",
    OWN,
    # UUIDv7 of when the change was made. Commits may come in another order.
    Column("id", Uuid, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("type", String(200), nullable=False),
    Column("resource", String(200), nullable=False),
    Column("key", JSON, nullable=False),
    Column("actor", Text),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Column("request_id", Text),
    Column("reason", Text),
)

DELIVERIES = Table(
    "tilth_delivery",
    OWN,
    Column("event_id", Uuid, ForeignKey(EVENTS.c.id, ondelete="CASCADE"), primary_key=True),
    Column("subscriber", Text, primary_key=True),
    # Who takes it puts it off, so that it is due again if they die. NULL: it has been given up.
    Column("due_at", DateTime(timezone=True)),
    # How often it was taken: what is told of an earlier attempt does not count any more.
    Column("attempts", Integer, nullable=False),
    Column("failure", Text),
)
_WAITING = DELIVERIES.c.due_at.is_not(None)
Index(
    "ix_tilth_delivery_waiting",
    DELIVERIES.c.subscriber,
    DELIVERIES.c.event_id,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)

# Made once: SQLAlchemy keeps with a statement what it has worked out to find its SQL again.
_ADD_EVENTS, _ADD_DELIVERIES = insert(EVENTS), insert(DELIVERIES)


def nobody_waits(subscribers: frozenset[str]) -> None:
    """The wake of an application without subscribers."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """Who is to be told. subscribers: type of event → their names.

    wake: called in the thread of the unit after its commit, with the names of those who have a
    delivery waiting. is_kept: False where there is no table of events: nobody can subscribe, and
    only the developer's own code changes anything.
    """

    subscribers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    wake: Callable[[frozenset[str]], None] = nobody_waits
    is_kept: bool = True


def write_events(session: Session, outbox: Outbox, events: Sequence[Event]) -> None:
    """With a delivery for everyone who subscribes now: who comes later starts from then."""
    if not events or not outbox.is_kept:
        return
    session.connection().execute(_ADD_EVENTS, [_row(each) for each in events])
    deliveries = list(_deliveries(outbox, events))
    if deliveries:
        session.execute(_ADD_DELIVERIES, deliveries)
        names = frozenset(each["subscriber"] for each in deliveries)
        _after_the_commit(session, lambda: outbox.wake(names))


def _after_the_commit(session: Session, call: Callable[[], None]) -> None:
    """A session that shares its commit with others only knows of its own savepoint."""
    afterwards = session.info.get(AFTERWARDS)
    if afterwards is None:
        event.listen(session, "after_commit", lambda _: call())
    else:
        afterwards.append(call)


def _deliveries(outbox: Outbox, events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    for each in events:
        for name in outbox.subscribers.get(each.type, ()):
            yield {"event_id": each.id, "subscriber": name, "due_at": each.at, "attempts": 0}


def _row(told: Event) -> dict[str, Any]:
    return {
        "id": told.id,
        "version": told.version,
        "type": told.type,
        "resource": told.resource,
        "key": list(told.key),
        "actor": told.actor,
        "at": told.at,
        "before": None if told.before is None else dict(told.before),
        "after": None if told.after is None else dict(told.after),
        "request_id": told.request_id,
        "reason": told.reason,
    }
