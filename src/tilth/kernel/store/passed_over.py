"""Changes that a trigger passes over without an error: RETURN NULL of PostgreSQL, RAISE(IGNORE) of SQLite.

The ORM tells of an UPDATE that met no row; of a DELETE it makes a warning, and after an INSERT on
SQLite it takes the key of whatever row came before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, class_mapper
from sqlalchemy.orm.exc import FlushError

from tilth.kernel.schema.tables import tables_of
from tilth.kernel.store.integrity import not_kept

# SQLAlchemy has no error of its own for it.
_FEWER_ROWS = "did not produce the correct number of INSERTed rows"


@contextmanager
def no_row_passed_over(session: Session, *models: type, pointer: str = "") -> Iterator[None]:
    """Raises Conflict inside, when rows of these models are not inserted or deleted as asked."""
    tables = {table for model in models for table in tables_of(class_mapper(model))}

    def count(_: object, cursor: Any, __: str, rows: Any, context: Any, *___: object) -> None:
        is_watched = (context.isdelete or context.isinsert) and context.compiled is not None
        if not is_watched or context.compiled.statement.table not in tables:
            return
        if context.compiled.effective_returning and context.dialect.name == "sqlite":
            # It counts rows as they are fetched.
            return
        # A list is of rows; anything else is the values of one statement.
        if 0 <= cursor.rowcount < (len(rows) if isinstance(rows, list) else 1):
            raise not_kept(pointer)

    connection = session.connection()
    event.listen(connection, "after_cursor_execute", count)
    try:
        yield
    except FlushError as exc:
        if _FEWER_ROWS in str(exc):
            raise not_kept(pointer) from exc
        raise
    finally:
        event.remove(connection, "after_cursor_execute", count)
