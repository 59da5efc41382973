"""One object read from SQLite: there is no wire, so the SQL as it was run, the plan, and what is stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from tilth.kernel.store.sync import existing_engine
from tilth.kernel.store.wire.columns import Column, columns_from

STORAGE = """SELECT typeof(:1),
    CASE WHEN typeof(:1) IN ('text', 'blob') THEN length(CAST(:1 AS BLOB)) END"""
"""Numbers are as long as they need to be, which no function tells."""


@dataclass(frozen=True, slots=True)
class Stored:
    """entity: None when there is no such row. sql: with the values in it.

    plan: (depth, step) as EXPLAIN QUERY PLAN has them. columns: stored is SQLite's storage class of
    this value, and its size.
    """

    entity: Any
    sql: str
    plan: tuple[tuple[int, str], ...]
    columns: tuple[Column, ...]


def looked_up(url: URL, model: type, statement: Select[Any], hidden: Collection[str]) -> Stored:
    """hidden: attributes that are secret whatever they are called. Raises SQLAlchemyError."""
    engine = existing_engine(url)
    run: list[str] = []
    try:
        with engine.connect() as connection, Session(connection) as session:
            # Begun before anybody listens.
            driver = session.connection().connection.driver_connection
            assert driver is not None
            driver.set_trace_callback(run.append)
            entity = session.scalars(statement).one_or_none()
            driver.set_trace_callback(None)
            [sql] = run
            names, kinds = _storage(connection, sql)
            columns = columns_from(model, names, kinds, hidden)
            return Stored(entity, sql, _plan(connection, sql), columns)
    finally:
        engine.dispose()


def _plan(connection: Connection, sql: str) -> tuple[tuple[int, str], ...]:
    # It was run a moment ago, with the values in it as SQLite itself wrote them.
    asked = f"EXPLAIN QUERY PLAN {sql}"
    rows = connection.exec_driver_sql(asked).all()
    depths = {0: 0}
    for number, above, *_ in rows:
        depths[number] = depths.get(above, 0) + 1
    return tuple((depths[number] - 1, step) for number, _, _, step in rows)


def _storage(connection: Connection, sql: str) -> tuple[list[str], list[str]]:
    """Names of what the statement answers, and how SQLite keeps each value."""
    result = connection.exec_driver_sql(sql)
    names, row = list(result.keys()), result.one_or_none()
    if row is None:
        return names, ["" for _ in names]
    told = [connection.exec_driver_sql(STORAGE, (each,)).one() for each in row]
    return names, [kind if size is None else f"{kind}, {size} bytes" for kind, size in told]
