"""A PostgreSQL database in use → an archive of pg_dump as of one moment, restored once to see that it can be."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from tilth.errors import CommandError
from tilth.kernel.store.backups.counts import Counts, require_same
from tilth.kernel.store.backups.files import partial_file, publish, refuse_existing
from tilth.kernel.store.backups.postgresql import (
    counted_in,
    engine_of,
    first_line_of,
    restore_archive,
    version_of,
)
from tilth.kernel.store.client_programs import environment_of, program, run
from tilth.kernel.store.sync import explained

Scratch = Callable[[], AbstractContextManager[Engine]]
"""An empty database of the same server. Raises CommandError where there can be none."""


@dataclass(frozen=True, slots=True)
class Backup:
    """unverified: why it could not be restored to see whether it can be; None when it was."""

    rows: Counts
    unverified: str | None


def back_up_postgresql(url: URL, path: Path, scratch: Scratch, *, replaces: bool) -> Backup:
    """Writers go on meanwhile. Raises CommandError; path is then not made."""
    if not replaces:
        refuse_existing(path)
    with (
        explained(url),
        engine_of(url, read_only=True) as engine,
        partial_file(path) as partial,
    ):
        with _snapshot(engine) as (connection, name):
            tool = program("pg_dump", version_of(connection))
            arguments = ("--format=custom", "--no-password", f"--snapshot={name}")
            environment = environment_of(url, os.environ)
            run(tool, [*arguments, f"--file={partial.absolute()}"], environment)
            rows = counted_in(connection)
        reason = _unverified(partial, rows, scratch, tool.version)
        publish(partial, path, replaces=replaces)
    return Backup(rows, reason)


@contextmanager
def _snapshot(engine: Engine) -> Iterator[tuple[Connection, str]]:
    """What is counted and what is dumped are the same rows. The name is for the other program."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {limit} = 0")
        # A policy of the server that hides rows is an error, not a smaller backup.
        connection.exec_driver_sql("SET LOCAL row_security = off")
        yield connection, str(connection.scalar(select(func.pg_export_snapshot())))


def _unverified(partial: Path, rows: Counts, scratch: Scratch, version: int) -> str | None:
    """Why it is not known whether it can be restored. Raises CommandError when it holds other rows."""
    try:
        tool = program("pg_restore", version)
        with scratch() as engine:
            restore_archive(tool, partial, engine.url)
            with engine.connect() as connection:
                found = counted_in(connection)
    except CommandError as error:
        return " ".join(filter(None, (error.message, error.hint)))
    except SQLAlchemyError as exc:
        return f"A scratch database cannot be used: {first_line_of(exc)}."
    require_same(rows, found)
    return None
