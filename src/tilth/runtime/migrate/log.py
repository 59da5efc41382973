"""Tilth's own record of what was applied: when, how long it took, and from which text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Float,
    MetaData,
    String,
    Table,
    delete,
    insert,
    inspect,
    select,
)

from tilth.runtime.migrate.project import LOG_TABLE

_METADATA = MetaData()
LOG = Table(
    LOG_TABLE,
    _METADATA,
    Column("revision", String(200), primary_key=True),
    Column("phase", String(20), nullable=False),
    Column("checksum", String(64), nullable=False),
    Column("applied_at", DateTime(timezone=True), nullable=False),
    Column("seconds", Float, nullable=False),
    # Of the whole schema after it: what is different later was changed by something else.
    Column("shape", String(64)),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One revision that is in the database. shape: checksum of the schema after it."""

    revision: str
    phase: str
    checksum: str
    applied_at: datetime
    seconds: float
    shape: str | None


def read_log(connection: Connection) -> Mapping[str, Entry]:
    """By revision, in the order in which they were applied. Empty when Tilth applied none."""
    if not inspect(connection).has_table(LOG_TABLE):
        return {}
    rows = connection.execute(select(LOG).order_by(LOG.c.applied_at))
    return {row.revision: Entry(*row) for row in rows}


def ensure_log(connection: Connection) -> None:
    LOG.create(connection, checkfirst=True)


def write_entry(connection: Connection, entry: Entry) -> None:
    """In the transaction of the revision."""
    forget_entry(connection, entry.revision)
    values = {
        "revision": entry.revision,
        "phase": entry.phase,
        "checksum": entry.checksum,
        "applied_at": entry.applied_at,
        "seconds": entry.seconds,
        "shape": entry.shape,
    }
    connection.execute(insert(LOG).values(values))


def forget_entry(connection: Connection, revision: str) -> None:
    connection.execute(delete(LOG).where(LOG.c.revision == revision))
