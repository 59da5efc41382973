"""Questions about the rows that are there, each answered without reading more than it must."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError, NoSuchTableError, SAWarning

from tilth.runtime.migrate.quoting import literally, quoter

MANY = 10_000
"""Above this a table is taken to be in use: it is not locked while it is read or rewritten."""

_ESTIMATE = text(
    "SELECT c.reltuples::bigint FROM pg_class c WHERE c.oid = to_regclass(:place) AND c.relkind IN ('r', 'p')"
)


class Rows:
    """Of the database behind one connection. A table or column that is not there has none."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._quote = quoter(connection)

    @property
    def is_postgresql(self) -> bool:
        return self.connection.dialect.name == "postgresql"

    def place(self, table: str, schema: str | None = None) -> str:
        return ".".join(self._quote(part) for part in (schema, table) if part)

    def column(self, name: str) -> str:
        return self._quote(name)

    def has(self, table: str, schema: str | None = None, columns: Sequence[str] = ()) -> bool:
        try:
            found = inspect(self.connection).get_columns(table, schema)
        except NoSuchTableError:
            return False
        names = {each["name"].lower() for each in found}
        return bool(names) and {name.lower() for name in columns} <= names

    def count(
        self, table: str, schema: str | None = None, where: str = "", most: int = MANY
    ) -> int:
        """Up to one more than most. where: SQL."""
        if not self.has(table, schema):
            return 0
        condition = f" WHERE {where}" if where else ""
        inner = f"SELECT 1 FROM {self.place(table, schema)}{condition} LIMIT {most + 1}"
        return self.value(f"SELECT count(*) FROM ({inner}) AS some_rows")

    def is_big(self, table: str, schema: str | None = None) -> bool:
        return self.count(table, schema) > MANY

    def estimate(self, table: str, schema: str | None = None) -> int:
        """All of them; on PostgreSQL what its statistics say, if there are more than a few."""
        bounded = self.count(table, schema)
        if bounded <= MANY:
            return bounded
        if self.is_postgresql:
            asked = {"place": self.place(table, schema)}
            known = int(self.connection.execute(_ESTIMATE, asked).scalar() or 0)
            if known > MANY:
                return known
        return self.value(f"SELECT count(*) FROM {self.place(table, schema)}")

    def indexes(self, table: str, schema: str | None) -> list[tuple[str, list[str]]]:
        """Names and columns of indexes and unique constraints; expressions are left out."""
        inspector = inspect(self.connection)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)
            found = inspector.get_indexes(table, schema)
            unique = inspector.get_unique_constraints(table, schema)
        names = [(each["name"], each["column_names"]) for each in found]
        names += [(each["name"], list(each["column_names"])) for each in unique]
        return [(str(name), [str(each) for each in columns if each]) for name, columns in names]

    def value(self, statement: str) -> int:
        return int(self.connection.execute(literally(statement)).scalar() or 0)

    def ask(self, statement: str) -> int | None:
        """None when the database cannot answer, such as of a condition over columns to come."""
        nested = self.connection.begin_nested() if self.connection.in_transaction() else None
        try:
            found = self.value(statement)
        except DBAPIError:
            if nested is not None:
                nested.rollback()
            else:
                self.connection.rollback()
            return None
        if nested is not None:
            nested.rollback()
        return found


def told(count: int, noun: str) -> str:
    number = f"more than {MANY:,}" if count > MANY else f"{count:,}"
    return f"{number} {noun}" + ("" if count == 1 else "s")
