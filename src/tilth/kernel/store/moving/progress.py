"""How far a move has come, kept in the target beside the rows it tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
    update,
)

MOVE = Table(
    "tilth_move",
    MetaData(),
    Column("table", String(200), primary_key=True),
    Column("origin", String(500), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("is_done", Boolean, nullable=False),
)

ALL = ""
"""In the place of a table: references and sequences, which follow all rows."""


@dataclass(frozen=True, slots=True)
class Progress:
    """rows: of one table that are there. is_done: there are no more."""

    rows: int
    is_done: bool


def begin_progress(connection: Connection, origin: str, tables: Sequence[Table]) -> None:
    MOVE.create(connection)
    names = [*(table.fullname for table in tables), ALL]
    rows = [{"table": name, "origin": origin, "rows": 0, "is_done": False} for name in names]
    connection.execute(insert(MOVE), rows)


def progress_of(connection: Connection) -> tuple[str, Mapping[str, Progress]] | None:
    """Where the rows come from, and each table's; None when nothing was begun."""
    if not inspect(connection).has_table(MOVE.name):
        return None
    rows = connection.execute(select(MOVE)).all()
    return rows[0].origin, {row.table: Progress(row.rows, row.is_done) for row in rows}


def advance(connection: Connection, table: str, rows: int, *, is_done: bool = False) -> None:
    changed = update(MOVE).where(MOVE.c.table == table)
    connection.execute(changed.values(rows=rows, is_done=is_done))


def forget(connection: Connection) -> None:
    MOVE.drop(connection)
