"""Words of revision files: assured, backfill, irreversible, set_table_options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NoReturn

from alembic import op
from sqlalchemy import Connection

from tilth.errors import CommandError
from tilth.runtime.migrate.backfill import fill
from tilth.runtime.migrate.sqlite.rebuild import read_table, rebuild, with_tail

_REASONS: ContextVar[tuple[str, ...]] = ContextVar("tilth_assured", default=())


class Irreversible(CommandError):
    """A revision that says of itself that it cannot be undone."""


@contextmanager
def assured(reason: str) -> Iterator[None]:
    """What is done inside is known to be dangerous, and why it is right is told.

    reason: for whoever reads the revision later; at least one word.
    """
    if not reason.strip():
        raise CommandError("assured() needs a reason.", 'Write why it is right: assured("…").')
    token = _REASONS.set((*_REASONS.get(), reason))
    try:
        yield
    finally:
        _REASONS.reset(token)


def reason_given() -> str | None:
    """Why what is being done is right, if somebody has said so."""
    return "; ".join(_REASONS.get()) or None


def irreversible(reason: str) -> NoReturn:
    """The downgrade of a revision that has none. Raises Irreversible."""
    raise Irreversible(f"This revision cannot be undone: {reason}", "Restore a backup instead.")


def backfill(
    table: str,
    column: str,
    value: str,
    *,
    where: str | None = None,
    schema: str | None = None,
    batch_rows: int = 1000,
    pause_seconds: float = 0.0,
) -> None:
    """Give a value, as SQL, to the rows that have none in a column.

    On PostgreSQL in batches by primary key, each committed, so nobody waits long; a run that is cut
    off goes on where it was. On SQLite at once, with the revision. where: SQL for which rows, those
    whose column is NULL unless given. pause_seconds: after each batch, for replicas to follow.
    """
    op.get_bind()  # what was asked for before it is done first
    fill(
        op.get_context(),
        table,
        column,
        value,
        where=where,
        schema=schema,
        batch_rows=batch_rows,
        pause_seconds=pause_seconds,
    )


def set_table_options(table: str, options: str, *, schema: str | None = None) -> None:
    """SQLite: "autoincrement", "strict", "without rowid". PostgreSQL: "fillfactor=70", "unlogged"."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        old = read_table(connection, table)
        rebuild(connection, old, with_tail(old, options))
    else:
        _set_storage(connection, table, options, schema)


def _set_storage(connection: Connection, table: str, options: str, schema: str | None) -> None:
    quote = connection.dialect.identifier_preparer.quote
    place = ".".join(quote(part) for part in (schema, table) if part)
    is_unlogged = "unlogged" in options.split()
    parameters = " ".join(each for each in options.split() if each != "unlogged")
    connection.exec_driver_sql(
        f"ALTER TABLE {place} SET " + ("UNLOGGED" if is_unlogged else "LOGGED")
    )
    if parameters:
        connection.exec_driver_sql(f"ALTER TABLE {place} SET " + f"({parameters})")
