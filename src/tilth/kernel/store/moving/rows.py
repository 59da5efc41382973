"""Rows as they are read in one database, written in another, and compared."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from sqlalchemy import JSON, Column, Connection, Insert, Select, Table, bindparam, insert, select

BATCH = 1_000
"""Rows of one transaction of the target, and what is held in memory at a time."""

_IS_NULL = "tilth_null_"


def stored_columns(table: Table) -> list[Column[Any]]:
    """Those that hold what was written; the database computes the others anew."""
    return [column for column in table.columns if column.computed is None]


def rows_of(table: Table, *, after: int = 0) -> Select[Any]:
    """In an order that stays the same. after: rows to leave out at the beginning."""
    columns = stored_columns(table)
    flags = [
        column.is_(None).label(_IS_NULL + column.key) for column in columns if _is_json(column)
    ]
    wanted = select(*(column.label(column.key) for column in columns), *flags)
    return wanted.order_by(*table.primary_key.columns).offset(after or None)


def batches(connection: Connection, statement: Select[Any]) -> Iterator[list[dict[str, Any]]]:
    """JSON's null and a missing value are both None in Python; here they are told apart."""
    result = connection.execute(statement, execution_options={"yield_per": BATCH})
    for part in result.mappings().partitions(BATCH):
        yield [_told_apart(dict(row)) for row in part]


def insertion(table: Table) -> Insert:
    return insert(table).values({c.key: _bound(c) for c in stored_columns(table)})


def checksum(row: Mapping[str, Any]) -> int:
    """Sums of it are alike for the same rows in any order. 64 bits."""
    told = "\x1f".join(f"{name}={_plain(value)}" for name, value in row.items())
    return int.from_bytes(blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _is_json(column: Column[Any]) -> bool:
    return isinstance(column.type, JSON)


def _told_apart(row: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in row.items() if not name.startswith(_IS_NULL)}
    for name, is_null in row.items():
        field = name.removeprefix(_IS_NULL)
        if field != name and values[field] is None and not is_null:
            values[field] = JSON.NULL
    return values


def _bound(column: Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, JSON):
        kind = type(kind)(none_as_null=True)
    return bindparam(column.key, type_=kind)


def _plain(value: object) -> str:
    """The same for what is the same, whichever driver it came from."""
    match value:
        case None:
            return "∅"
        case enum.Enum():
            return value.name
        case bool():
            return str(value)
        case Decimal():
            return f"{value.normalize():f}" if value.is_finite() else str(value)
        case datetime():
            return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case dict() | list():
            return json.dumps(value, sort_keys=True, default=_plain)
        case _:
            return str(value)
