"""Which foreign key a refused statement broke. SQLite itself only says that one was.

It is found out while the transaction is still as the statement met it: afterwards the rows that it
relied on may be gone, and another connection would not see them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    ForeignKeyConstraint,
    Insert,
    Table,
    Update,
    event,
    exists,
    literal_column,
    select,
)
from sqlalchemy.engine import ExceptionContext

_FOUND = "tilth_columns"

Row = Mapping[str, Any]


def explain_references(engine: Engine) -> None:
    """Errors of this engine will know the columns of the foreign key that was broken."""
    event.listen(engine, "handle_error", _explain)


def columns_of_broken_reference(exc: sqlite3.Error) -> list[str]:
    """ "table.column" texts; none when it is not known which key it was."""
    return list(getattr(exc, _FOUND, ()))


def _explain(context: ExceptionContext) -> None:
    exc: Any = context.original_exception
    asked: Any = context.execution_context
    if getattr(exc, "sqlite_errorcode", 0) != sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return
    statement = getattr(getattr(asked, "compiled", None), "statement", None)
    connection = context.connection
    if connection is not None and isinstance(statement, Insert | Update):
        setattr(exc, _FOUND, list(_broken(connection, statement, asked.compiled_parameters)))


def _broken(connection: Connection, statement: Insert | Update, rows: list[Row]) -> Iterator[str]:
    """Of the first row that breaks any."""
    table = statement.table
    if not isinstance(table, Table):
        return
    for written in rows:
        row = {**_stored(connection, statement, table, written), **written}
        found = [key for key in table.foreign_key_constraints if _is_broken(connection, key, row)]
        if found:
            yield from (f"{table.name}.{column.name}" for key in found for column in key.columns)
            return


def _stored(connection: Connection, statement: Insert | Update, table: Table, written: Row) -> Row:
    """What is not written anew: a part of a key, perhaps."""
    if not isinstance(statement, Update) or statement.whereclause is None:
        return {}
    found = connection.execute(select(table).where(statement.whereclause), written).first()
    return {} if found is None else dict(zip(table.columns.keys(), found, strict=True))


def _is_broken(connection: Connection, key: ForeignKeyConstraint, row: Row) -> bool:
    """A key with a NULL in it leads nowhere and need not."""
    values = [row.get(element.parent.key) for element in key.elements]
    if None in values:
        return False
    same: Iterator[ColumnElement[bool]] = (
        element.column == value for element, value in zip(key.elements, values, strict=True)
    )
    return not connection.scalar(select(exists(select(literal_column("1")).where(*same))))
