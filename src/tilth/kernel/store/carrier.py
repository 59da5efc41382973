"""A field's SQL → its carrier: the lossless form that all databases hand over alike.

Kind.decode lists the carriers. The same expression serves a column of the answer and a member of a
JSON array, so a row decodes alike wherever it stands; docs/decisions/0002 has the reasons.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    case,
    cast,
    func,
    literal_column,
)

from tilth.kernel.schema.kinds import Kind
from tilth.kernel.schema.types import is_short_float

Sql = ColumnElement[Any]


def carrier(dialect_name: str, kind: Kind, value: Sql, *, nested: bool) -> Sql:
    """nested: the value goes into a JSON array made by the database."""
    if dialect_name == "postgresql":
        return _POSTGRESQL.get(kind.name, _as_text)(value)
    if dialect_name == "mariadb":
        return _MARIADB.get(kind.name, _as_text)(value)
    if kind.name in _SQLITE:
        return _SQLITE[kind.name](value)
    return _fit_for_json(value) if nested else value


def _as_is(value: Sql) -> Sql:
    return value


def _as_text(value: Sql) -> Sql:
    return cast(value, Text)


def _postgresql_bytes(value: Sql) -> Sql:
    return func.encode(value, "hex")


def _postgresql_float(value: Sql) -> Sql:
    """Drivers widen 4 bytes to 8, which makes 1.100000023841858 of 1.1; its text is what was meant."""
    return _as_text(value) if is_short_float(value.type) else value


def _postgresql_array(value: Sql) -> Sql:
    return cast(func.to_json(cast(value, ARRAY(Text))), Text)


def _sqlite_bytes(value: Sql) -> Sql:
    """hex(NULL) would be an empty text."""
    return case((value.is_not(None), func.hex(value)))


def _sqlite_decimal(value: Sql) -> Sql:
    """SQLite keeps decimals as 8-byte floats: 15 significant digits are what was meant."""
    digits = func.printf(literal_column("'%!.15g'"), value)
    return case((func.typeof(value) == literal_column("'real'"), digits), else_=cast(value, Text))


def _fit_for_json(value: Sql) -> Sql:
    """SQLite before 3.54 rounds floats in JSON to 15 digits, and refuses blobs altogether.

    17 digits name a float, but SQLite's last one is off near 1e300: more make up for that.
    """
    return case(
        (literal_column("'real'"), func.printf(literal_column("'%!.20g'"), value)),
        (literal_column("'blob'"), cast(value, Text)),
        value=func.typeof(value),
        else_=value,
    )


_POSTGRESQL: dict[str, Callable[[Sql], Sql]] = {
    "boolean": _as_is,
    "integer": _as_is,
    "float": _postgresql_float,
    "bytes": _postgresql_bytes,
    "array": _postgresql_array,
}
_MARIADB: dict[str, Callable[[Sql], Sql]] = {
    "boolean": _as_is,
    "integer": _as_is,
    "float": _as_is,
    "text": _as_is,
    "bytes": func.hex,
}
_SQLITE: dict[str, Callable[[Sql], Sql]] = {
    "bytes": _sqlite_bytes,
    "decimal": _sqlite_decimal,
}
