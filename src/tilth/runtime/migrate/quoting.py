"""Names and expressions as SQL that is not yet on its way to a driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, text
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import TextClause


def plain_dialect(connection: Connection) -> Dialect:
    """Of the same database, but for psycopg's habit of writing every % twice."""
    made: Callable[..., Dialect] = type(connection.dialect)
    dialect = made(paramstyle="named")
    dialect.server_version_info = connection.dialect.server_version_info
    return dialect


def quoter(connection: Connection) -> Callable[[str], str]:
    """For statements that go through `text`, and for names that are bound as values."""
    return plain_dialect(connection).identifier_preparer.quote


def literally(sql: str, parameters: Iterable[str] = ()) -> TextClause:
    """A statement in which no colon makes a parameter, but those before these names."""
    # `text` takes away a backslash before a colon and leaves every other one as it is.
    escaped = sql.replace(":", "\\:")
    for name in parameters:
        escaped = escaped.replace(f"\\:{name}", f":{name}")
    return text(escaped)
