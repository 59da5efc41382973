"""A SQLite table → samples of what its columns hold, and whether its key identifies every row."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    TableClause,
    case,
    cast,
    column,
    func,
    literal_column,
    or_,
    select,
    table,
    type_coerce,
    union_all,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import NullType

from tilth.kernel.schema.adoption.storage import SAMPLED_CHARACTERS, Sample

ROWS_AT_EACH_END = 500
SECONDS_PER_TABLE = 0.5

# How many steps of SQLite's machine pass between two looks at the clock.
STEPS = 10_000


class Unreadable(Exception):
    """The table or view cannot be selected from; the message is SQLite's reason."""


def samples_of(
    connection: Connection, name: str, columns: Sequence[str], order: Sequence[str] | None
) -> dict[str, Sample]:
    """The first and last 500 rows in that order, or any 1,000 without one; {} when it takes long.

    order: names of columns; "rowid" also names SQLite's own. Raises Unreadable.
    """
    samples = {each: Sample() for each in columns}
    try:
        with _time_limit(connection):
            for row in connection.execute(_sampled(name, columns, order)):
                for each, value in zip(columns, row, strict=True):
                    samples[each].add(value)
    except OperationalError as exc:
        if _was_interrupted(exc):
            return {}
        raise Unreadable(str(exc.orig)) from exc
    return samples


def has_null_in_key(connection: Connection, name: str, key: Sequence[str]) -> bool:
    """SQLite lets NULL into most primary keys, any number of times. False when it takes long."""
    source = _table(name, key)
    nulls = or_(*(part.is_(None) for part in source.columns))
    try:
        with _time_limit(connection):
            return connection.execute(select(1).where(nulls).limit(1)).first() is not None
    except OperationalError as exc:
        if _was_interrupted(exc):
            return False
        raise Unreadable(str(exc.orig)) from exc


def _sampled(name: str, columns: Sequence[str], order: Sequence[str] | None) -> Select[Any]:
    source = _table(name, columns)
    rows = select(source)
    if order is None:
        both_ends = rows.limit(2 * ROWS_AT_EACH_END).subquery()
    else:
        keys = [source.columns.get(each, literal_column(each)) for each in order]
        first = _part(rows, [key.asc() for key in keys])
        last = _part(rows, [key.desc() for key in keys])
        both_ends = union_all(first, last).subquery()
    return select(*(_stored(each) for each in both_ends.columns))


def _part(rows: Select[Any], order: Sequence[ColumnElement[Any]]) -> Select[Any]:
    return select(rows.order_by(*order).limit(ROWS_AT_EACH_END).subquery())


def _table(name: str, columns: Sequence[str]) -> TableClause:
    return table(name, *(column(each) for each in columns))


def _stored(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """As Sample.add takes it. A text as bytes, since SQLite does not see to it that it is UTF-8."""
    kind = func.typeof(value)
    text = cast(func.substr(value, 1, literal_column(str(SAMPLED_CHARACTERS + 1))), LargeBinary)
    chosen = case(
        (kind == literal_column("'text'"), text),
        (kind == literal_column("'blob'"), literal_column("'blob'")),
        else_=value,
    )
    return type_coerce(chosen, NullType())


@contextmanager
def _time_limit(connection: Connection) -> Iterator[None]:
    sqlite: Any = connection.connection.driver_connection
    end = time.monotonic() + SECONDS_PER_TABLE
    sqlite.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        yield
    finally:
        sqlite.set_progress_handler(None, 0)


def _was_interrupted(exc: OperationalError) -> bool:
    return str(exc.orig) == "interrupted"
