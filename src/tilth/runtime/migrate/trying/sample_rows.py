"""Tables → a few rows that fit them: keys, references, choices and rules."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice, product
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Enum,
    MetaData,
    Table,
    and_,
    delete,
    insert,
    select,
    text,
)
from sqlalchemy.exc import SAWarning, SQLAlchemyError

from tilth.runtime.migrate.shape import Shape, TableShape

ROWS = 3
ATTEMPTS = 40
DEEPEST = 8

Known = Mapping[str, Table]


def fill_tables(connection: Connection, shape: Shape) -> list[str]:
    """In the open transaction, tables that are empty; answers those that no row was found for."""
    tables = _reflected(connection, shape)
    if connection.dialect.name == "postgresql":
        # Rows refer to one another in circles: they fit when all of them are there.
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    missed = []
    for name, table in tables.items():
        is_empty = connection.execute(table.select().limit(1)).first() is None
        if is_empty and not _fill(connection, table, shape.tables[name], tables):
            missed.append(name)
    for _ in range(DEEPEST):
        if not any(_drop_orphans(connection, table, tables) for table in tables.values()):
            break
    return missed


def _drop_orphans(connection: Connection, table: Table, known: Known) -> int:
    """Rows that refer to one for which nothing fitted."""
    gone = 0
    for key in table.foreign_key_constraints:
        target = known.get(key.referred_table.fullname)
        if target is None:
            continue
        other = target.alias()
        pairs = [(each.parent, other.columns[each.column.name]) for each in key.elements]
        there = select(1).where(*(ours == theirs for ours, theirs in pairs)).exists()
        filled = and_(*(ours.is_not(None) for ours, _ in pairs))
        gone += connection.execute(delete(table).where(filled, ~there)).rowcount
    return gone


def clear_tables(connection: Connection, shape: Shape) -> None:
    """In the open transaction, all rows of all tables, whatever refers to them."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    for table in _reflected(connection, shape).values():
        connection.execute(delete(table))


def contents(connection: Connection, shape: Shape) -> dict[str, list[dict[str, str]]]:
    """Every row as text by column, in an order of its own."""
    found = {}
    for name in shape.tables:
        quote = connection.dialect.identifier_preparer.quote
        place = ".".join(quote(part) for part in name.split("."))
        rows = connection.exec_driver_sql("SELECT * FROM " + place).mappings().all()
        texts = [{key: repr(value) for key, value in row.items()} for row in rows]
        found[name] = sorted(texts, key=lambda row: sorted(row.items()))
    return found


def _reflected(connection: Connection, shape: Shape) -> dict[str, Table]:
    metadata = MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        for schema in dict.fromkeys(name.rpartition(".")[0] or None for name in shape.tables):
            prefix = f"{schema}." if schema else ""
            names = [n.removeprefix(prefix) for n in shape.tables if n.startswith(prefix)]
            own = [n for n in names if schema or "." not in n]
            metadata.reflect(connection, schema=schema, only=own, resolve_fks=False)
    return {name: metadata.tables[name] for name in shape.tables}


def _fill(connection: Connection, table: Table, shape: TableShape, known: Known) -> bool:
    made = 0
    for number in range(1, ROWS + 1):
        for values in islice(_rows(table, shape, number, known), ATTEMPTS):
            if _fits(connection, table, values):
                made += 1
                break
    return made > 0


def _fits(connection: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(values))
    except SQLAlchemyError:
        return False
    return True


def _rows(table: Table, shape: TableShape, number: int, known: Known) -> Iterator[dict[str, Any]]:
    """The likeliest first; those that follow try other values where a rule names some."""
    fixed: dict[str, Any] = {}
    free: dict[str, Sequence[Any]] = {}
    for column in table.columns:
        if column.computed is not None or (column.identity and column.identity.always):
            continue
        hints = _hints(shape, column)
        if column.foreign_keys or column.primary_key or not hints:
            fixed[column.name] = _value(column, number, known)
        else:
            free[column.name] = [_value(column, number, known), *hints]
    longest = max((len(each) for each in free.values()), default=0)
    together = (tuple(each[k % len(each)] for each in free.values()) for k in range(longest))
    for combination in chain(together, product(*free.values())):
        yield {**fixed, **dict(zip(free, combination, strict=True))}


def _hints(shape: TableShape, column: Column[Any]) -> list[Any]:
    """What the checks of a column name, and its neighbours."""
    said = [
        re.sub(r'"(?:[^"]|"")*"', " ", each.definition)
        for each in shape.constraints
        if each.kind == "check" and column.name in each.columns
    ]
    found: list[Any] = []
    for definition in said:
        if _python_type(column) is str:
            found += [
                each.replace("''", "'") for each in re.findall(r"'((?:[^']|'')*)'", definition)
            ]
            found += ["abc", "abcdefgh"]
        elif _python_type(column) in (int, float, Decimal):
            for each in re.findall(r"-?\d+(?:\.\d+)?", definition):
                plain = int(float(each))
                found += [plain + 1, plain, plain - 1]
    return list(dict.fromkeys(found))


def _value(column: Column[Any], number: int, known: Known, depth: int = 0) -> Any:
    """The same for a column and for what it refers to, so rows fit by themselves."""
    for key in column.foreign_keys:
        table, _, name = key.target_fullname.rpartition(".")
        target = known.get(table)
        if target is not None and name in target.columns and depth < DEEPEST:
            return _value(target.columns[name], number, known, depth + 1)
    if isinstance(column.type, Enum) and column.type.enums:
        return column.type.enums[number % len(column.type.enums)]
    return _of_type(column, number)


def _python_type(column: Column[Any]) -> type | None:
    try:
        return column.type.python_type
    except NotImplementedError:
        return None


def _of_type(column: Column[Any], number: int) -> Any:
    kind = dict if isinstance(column.type, JSON) else _python_type(column)
    moment = datetime(2024, 1, number, 12, 30, tzinfo=UTC)
    if kind is str:
        length = getattr(column.type, "length", None)
        wanted = f"{number}-{column.name}"
        return wanted[: length or len(wanted)]
    if kind is datetime:
        return moment if getattr(column.type, "timezone", False) else moment.replace(tzinfo=None)
    values: Mapping[type | None, Any] = {
        bool: number % 2 == 0, int: number, float: number + 0.5, Decimal: Decimal(number),
        bytes: bytes([number]), date: moment.date(), time: time(12, number),
        timedelta: timedelta(hours=number), UUID: UUID(int=number), dict: {"n": number},
        list: [],
    }  # fmt: skip
    return values.get(kind, text("NULL"))
