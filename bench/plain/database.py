"""A database read with its plain driver and hand-written SQL."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Protocol

import psycopg
from sqlalchemy.engine import make_url

from plain.values import Normal, from_postgresql, from_sqlite

# Python's moments come in UTC, its intervals in ISO 8601: then both sides can be parsed alike.
_SETTINGS = (
    "SET timezone = 'UTC'",
    "SET datestyle = 'ISO, YMD'",
    "SET intervalstyle = 'iso_8601'",
    "SET bytea_output = 'hex'",
)


_STORED: dict[str, type | tuple[type, ...]] = {
    "boolean": int,
    "integer": int,
    "float": (int, float),
    "decimal": (int, float),
    "bytes": bytes,
}


class Database(Protocol):
    """place: a parameter in SQL."""

    dialect: str
    place: str

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def close(self) -> None: ...

    def shown(self, column: str, kind: str) -> str:
        """SQL of a column's value as `normal` takes it."""

    def normal(self, raw: Any, kind: str) -> Normal: ...

    def is_of_kind(self, raw: Any, kind: str) -> bool:
        """SQLite keeps other values as well; a request cannot ask for those."""

    def compared(self, table: str, column: str) -> str:
        """SQL of a parameter that is compared with the column."""

    def within(self, text: str) -> str:
        """SQL that is true when a parameter occurs in the text."""


class Sqlite:
    dialect = "sqlite"
    place = "?"

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(make_url(url).database or ":memory:")
        self._connection.text_factory = lambda raw: raw.decode(errors="surrogateescape")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        self._connection.close()

    def shown(self, column: str, kind: str) -> str:
        return column

    def normal(self, raw: Any, kind: str) -> Normal:
        return from_sqlite(raw, kind)

    def is_of_kind(self, raw: Any, kind: str) -> bool:
        is_decimal = kind == "decimal" and isinstance(raw, float)
        if is_decimal and float(f"{raw:.15g}") != raw:
            return False
        return isinstance(raw, _STORED.get(kind, str))

    def compared(self, table: str, column: str) -> str:
        return "?"

    def within(self, text: str) -> str:
        return f"instr({text}, ?) > 0"


class Postgresql:
    dialect = "postgresql"
    # Not psycopg's own %s: names may hold percent signs.
    place = "\0"

    def __init__(self, url: str) -> None:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(plain, autocommit=True)
        for setting in _SETTINGS:
            self._connection.execute(setting)
        self._types: dict[tuple[str, str], str] = {}

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if values:
            sql = sql.replace("%", "%%").replace(self.place, "%s")
        return self._connection.execute(sql, values or None).fetchall()

    def close(self) -> None:
        self._connection.close()

    def shown(self, column: str, kind: str) -> str:
        return (
            f"CAST(to_json({column}) AS text)"
            if kind.startswith("array")
            else f"CAST({column} AS text)"
        )

    def normal(self, raw: Any, kind: str) -> Normal:
        return from_postgresql(raw, kind)

    def is_of_kind(self, raw: Any, kind: str) -> bool:
        return True

    def compared(self, table: str, column: str) -> str:
        place = (table, column)
        if place not in self._types:
            [(self._types[place],)] = self.rows(
                "SELECT format_type(atttypid, -1) FROM pg_attribute"
                f" WHERE attrelid = {self.place}::regclass AND attname = {self.place}",
                (quoted(table), column),
            )
        return f"CAST({self.place} AS {self._types[place]})"

    def within(self, text: str) -> str:
        return f"strpos(CAST({text} AS text), {self.place}) > 0"


def opened(url: str) -> Database:
    return Sqlite(url) if url.startswith("sqlite") else Postgresql(url)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
