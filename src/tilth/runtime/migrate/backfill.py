"""Values for rows that are there: in batches that commit, so that it can be cut off and go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Row, inspect

from tilth.runtime.migrate.quoting import literally, quoter

BATCHES_TOLD = "tilth_batches_told"
"""Execution option of a connection that only tries: given a batch, its table, schema and rows."""


@dataclass(frozen=True, slots=True)
class Filling:
    """Quoted names and SQL. keys: the columns of the primary key."""

    place: str
    keys: tuple[str, ...]
    column: str
    value: str
    where: str
    batch_rows: int


def fill(
    context: MigrationContext,
    table: str,
    column: str,
    value: str,
    *,
    where: str | None,
    schema: str | None,
    batch_rows: int,
    pause_seconds: float,
) -> None:
    """A table without a primary key is filled at once, as on SQLite."""
    connection = context.connection
    assert connection is not None
    quote = quoter(connection)
    place = ".".join(quote(part) for part in (schema, table) if part)
    keys = inspect(connection).get_pk_constraint(table, schema)["constrained_columns"]
    rows = where or f"{quote(column)} IS NULL"
    filling = Filling(place, tuple(map(quote, keys)), quote(column), value, rows, batch_rows)
    if connection.dialect.name == "sqlite" or not keys:
        _at_once(connection, filling)
        return
    tell = connection.get_execution_options().get(BATCHES_TOLD)
    if tell is not None:
        tell(_batch(filling, keys, keys)[0], table, schema, batch_rows)
    with context.autocommit_block():
        committing = context.connection
        assert committing is not None
        for _ in _batches(committing, filling):
            sleep(pause_seconds)


def _at_once(connection: Connection, filling: Filling) -> None:
    statement = (
        f"UPDATE {filling.place} SET {filling.column} = {filling.value} WHERE {filling.where}"
    )
    connection.execute(literally(statement))


def _batches(connection: Connection, filling: Filling) -> Iterator[int]:
    """Upwards by primary key. What is filled already is not looked at again."""
    after: Sequence[Any] | None = None
    while (last := _next_edge(connection, filling, after)) is not None:
        yield _update(connection, filling, after, last)
        after = last


def _next_edge(
    connection: Connection, filling: Filling, after: Sequence[Any] | None
) -> Sequence[Any] | None:
    """The key of the last row of the next batch."""
    keys = ", ".join(filling.keys)
    beyond, values = _compared(filling, ">", after, "a")
    inner = (
        f"SELECT {keys} FROM {filling.place} WHERE ({filling.where}){beyond}"
        f" ORDER BY {keys} LIMIT {filling.batch_rows}"
    )
    order = ", ".join(f"{key} DESC" for key in filling.keys)
    statement = f"SELECT {keys} FROM ({inner}) AS batch ORDER BY {order} LIMIT 1"
    row: Row[Any] | None = connection.execute(literally(statement, values), values).first()
    return None if row is None else tuple(row)


def _update(
    connection: Connection, filling: Filling, after: Sequence[Any] | None, last: Sequence[Any]
) -> int:
    statement, values = _batch(filling, after, last)
    return connection.execute(literally(statement, values), values).rowcount


def _batch(
    filling: Filling, after: Sequence[Any] | None, last: Sequence[Any]
) -> tuple[str, dict[str, Any]]:
    beyond, values = _compared(filling, ">", after, "a")
    until, more = _compared(filling, "<=", last, "b")
    statement = (
        f"UPDATE {filling.place} SET {filling.column} = {filling.value}"
        f" WHERE ({filling.where}){beyond}{until}"
    )
    return statement, values | more


def _compared(
    filling: Filling, sign: str, key: Sequence[Any] | None, prefix: str
) -> tuple[str, dict[str, Any]]:
    if key is None:
        return "", {}
    values = {f"tilth_{prefix}{number}": each for number, each in enumerate(key)}
    named = ", ".join(f":{name}" for name in values)
    return f" AND ({', '.join(filling.keys)}) {sign} ({named})", values
