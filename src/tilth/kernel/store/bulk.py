"""Many new rows of PostgreSQL in one parameter: a JSON array, which costs a tenth of a list of values.

Only for columns whose values JSON carries without loss, and for keys of which it is known afterwards
which row they are of. Everything else is for SQLAlchemy's own INSERT (kernel.store.insertion).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import JSON, Column, Connection, Null, Table, types
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.kernel.plan.change import Key

Row = Mapping[str, Any]
Make = Callable[[], Any]
Process = Callable[[Any], Any]

_CARRIED = (
    *(types.Integer, types.Boolean, types.String, types.Numeric, types.Uuid),
    *(types.Date, types.DateTime),
)
"""Enum is a String, Float a Numeric."""


@dataclass(frozen=True, slots=True)
class Bulk:
    """One INSERT for any number of rows that have the same columns.

    process: key of each column → what its type makes of a value. made: defaults that Python makes.
    keys: columns of the primary key that every row has; empty when the database numbers the rows.
    """

    sql: str
    process: Mapping[str, Process]
    made: Mapping[str, Make]
    keys: tuple[str, ...]

    def insert(self, connection: Connection, rows: Sequence[Row]) -> list[Key]:
        """Keys in the order of the rows, fewer when triggers keep rows out."""
        whole = [{**{name: make() for name, make in self.made.items()}, **row} for row in rows]
        told = [
            {name: process(row[name]) for name, process in self.process.items()} for row in whole
        ]
        sent = orjson.dumps(told, default=_as_text).decode()
        found = [tuple(row) for row in connection.exec_driver_sql(self.sql, (sent,))]
        if self.keys and len(found) == len(rows):
            return [tuple(row[name] for name in self.keys) for row in whole]
        # Numbers are drawn in the order of the rows.
        return sorted(found)


def bulk_for(
    table: Table, keys: Sequence[Column[Any]], names: Sequence[str], dialect: Dialect
) -> Bulk | None:
    """names: keys of the columns that rows give values for. None where it cannot be done."""
    if dialect.name != "postgresql":
        return None
    made = dict(_made(table, names))
    columns = [table.columns[name] for name in (*names, *made)]
    given = {column.key for column in columns}
    is_numbered = len(keys) == 1 and keys[0] is table.autoincrement_column
    has_keys = all(column.key in given for column in keys)
    if None in made.values() or not (has_keys or (is_numbered and keys[0].key not in given)):
        return None
    process = {column.key: _process(column.type, dialect) for column in columns}
    if not columns or None in process.values():
        return None
    return Bulk(
        _sql(table, columns, keys, dialect),
        # Not SQLAlchemy's quoted_name, which is no text to orjson.
        {str(name): each for name, each in process.items() if each is not None},
        {str(name): each for name, each in made.items() if each is not None},
        tuple(column.key for column in keys) if has_keys else (),
    )


def _made(table: Table, names: Sequence[str]) -> Iterator[tuple[str, Make | None]]:
    """None for a default that SQLAlchemy alone can make: of SQL, or from the other values."""
    for column in table.columns:
        if column.key not in names and column.default is not None:
            yield column.key, _maker(column)


def _maker(column: Column[Any]) -> Make | None:
    default: Any = column.default
    if default.is_scalar:
        return lambda: default.arg
    # One that takes no arguments is wrapped to be called with the context of the statement.
    if default.is_callable and hasattr(default.arg, "__wrapped__"):
        return lambda: default.arg(None)
    return None


def _process(type_: TypeEngine[Any], dialect: Dialect) -> Process | None:
    """What the type makes of a value on its way; None for a type that JSON does not carry."""
    if isinstance(type_, JSON):
        return _json_text(type_)
    inner = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    if not isinstance(inner, _CARRIED) or type_._has_bind_expression:
        return None
    return type_.dialect_impl(dialect).bind_processor(dialect) or _as_it_is


def _json_text(type_: JSON) -> Process:
    """Within JSON, null would be NULL and not the null of JSON."""

    def process(value: Any) -> Any:
        is_null = isinstance(value, Null) or (value is None and type_.none_as_null)
        return None if is_null else json.dumps(value)

    return process


def _as_it_is(value: Any) -> Any:
    return value


def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON.")


def _sql(
    table: Table, columns: Sequence[Column[Any]], keys: Sequence[Column[Any]], dialect: Dialect
) -> str:
    # Percent signs, which begin a parameter, are doubled by it.
    quote = dialect.identifier_preparer.quote

    def type_of(column: Column[Any]) -> str:
        return "text" if isinstance(column.type, JSON) else column.type.compile(dialect)

    def selected(column: Column[Any]) -> str:
        name = quote(column.name)
        return f"{name}::{column.type.compile(dialect)}" if isinstance(column.type, JSON) else name

    into = dialect.identifier_preparer.format_table(table)
    named = ", ".join(quote(column.name) for column in columns)
    typed = ", ".join(f"{quote(column.name)} {type_of(column)}" for column in columns)
    taken = ", ".join(map(selected, columns))
    returned = ", ".join(quote(column.name) for column in keys)
    return (
        f"INSERT INTO {into} ({named}) SELECT {taken} "
        f"FROM ROWS FROM (json_to_recordset(%s) AS ({typed})) WITH ORDINALITY "
        f"ORDER BY ordinality RETURNING {returned}"
    )
