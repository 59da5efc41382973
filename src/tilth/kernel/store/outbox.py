"""Tilth's own table of events: one row per change, written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    insert,
)
from sqlalchemy.orm import Session

from tilth.kernel.events.event import Event

OWN = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
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
    # When every subscriber had it; until then it is delivered again.
    Column("relayed_at", DateTime(timezone=True)),
)
_WAITING = EVENTS.c.relayed_at.is_(None)
Index("ix_tilth_event_waiting", EVENTS.c.id, sqlite_where=_WAITING, postgresql_where=_WAITING)


def write_events(session: Session, events: Sequence[Event]) -> None:
    if events:
        session.execute(insert(EVENTS), [_row(event) for event in events])


def _row(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "version": event.version,
        "type": event.type,
        "resource": event.resource,
        "key": list(event.key),
        "actor": event.actor,
        "at": event.at,
        "before": None if event.before is None else dict(event.before),
        "after": None if event.after is None else dict(event.after),
        "request_id": event.request_id,
    }
