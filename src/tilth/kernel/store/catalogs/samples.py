"""A SQLite table → samples of what its columns hold, and whether its key identifies every row."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Integer,
    Select,
    case,
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
from sqlalchemy.types import NullType, TypeEngine

from tilth.kernel.schema.adoption.storage import (
    SAMPLED_CHARACTERS,
    Sample,
    may_be_long,
    sample_of,
)

ROWS_AT_EACH_END = 500
SECONDS_PER_TABLE = 0.5

# How many steps of SQLite's machine pass between two looks at the clock.
STEPS = 10_000

_ALL = literal_column("*", NullType())
_FIRST = literal_column("1", Integer())
_LENGTH = literal_column(str(SAMPLED_CHARACTERS + 1), Integer())


class Unreadable(Exception):
    """The table or view cannot be selected from; the message is SQLite's reason."""


def samples_of(
    connection: Connection,
    name: str,
    columns: Mapping[str, TypeEngine[Any]],
    order: Sequence[str] | None,
) -> dict[str, Sample]:
    """The first and last 500 rows in that order, or any 1,000 without one; {} when it takes long.

    columns: name → declared type. order: names of columns; "rowid" also names SQLite's own.
    Raises Unreadable.
    """
    try:
        with _time_limit(connection), _any_text(connection):
            rows = connection.execute(_sampled(name, columns, order)).all()
    except OperationalError as exc:
        if _was_interrupted(exc):
            return {}
        raise Unreadable(str(exc.orig)) from exc
    return dict(zip(columns, map(sample_of, zip(*rows, strict=True)), strict=False))


def has_null_in_key(connection: Connection, name: str, key: Sequence[str]) -> bool:
    """SQLite lets NULL into most primary keys, any number of times. False when it takes long."""
    nulls = or_(*(column(part).is_(None) for part in key))
    found = select(1).select_from(table(name)).where(nulls).limit(1)
    try:
        with _time_limit(connection):
            return connection.execute(found).first() is not None
    except OperationalError as exc:
        if _was_interrupted(exc):
            return False
        raise Unreadable(str(exc.orig)) from exc


def _sampled(
    name: str, columns: Mapping[str, TypeEngine[Any]], order: Sequence[str] | None
) -> Select[Any]:
    """Only the outside names columns: compiling each of them five times took most of the time."""
    renamed: list[ColumnElement[Any]] = [
        column(each).label(_inside(each)) for each in columns if _inside(each) != each
    ]
    rows = select(_ALL, *renamed).select_from(table(name))
    if order is None:
        both_ends: Select[Any] | CompoundSelect[Any] = rows.limit(2 * ROWS_AT_EACH_END)
    else:
        keys: list[ColumnElement[Any]] = [
            column(each) if each in columns else literal_column(each) for each in order
        ]
        first = _part(rows, [key.asc() for key in keys])
        last = _part(rows, [key.desc() for key in keys])
        both_ends = union_all(first, last)
    return select(
        *(
            _cut(column(_inside(each))) if may_be_long(type_) else column(_inside(each))
            for each, type_ in columns.items()
        )
    ).select_from(both_ends.subquery())


def _inside(name: str) -> str:
    """What a subquery calls the column: SQLite (3.23 on) lets none of its columns be named so."""
    return f"tilth {name}" if name.lower() in ("true", "false") else name


def _part(rows: Select[Any], order: Sequence[ColumnElement[Any]]) -> Select[Any]:
    ends = rows.order_by(*order).limit(ROWS_AT_EACH_END)
    return select(_ALL).select_from(ends.subquery())


def _cut(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """The beginning of a text, an empty blob for a blob, anything else as it is."""
    chosen = case(
        (literal_column("'text'"), func.substr(value, _FIRST, _LENGTH)),
        (literal_column("'blob'"), literal_column("x''")),
        value=func.typeof(value),
        else_=value,
    )
    return type_coerce(chosen, NullType())


@contextmanager
def _any_text(connection: Connection) -> Iterator[None]:
    """SQLite does not see to it that texts are UTF-8."""
    sqlite: Any = connection.connection.driver_connection
    usual = sqlite.text_factory
    sqlite.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        yield
    finally:
        sqlite.text_factory = usual


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
