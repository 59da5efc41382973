"""An archive of pg_dump → a PostgreSQL database, all of it or nothing."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from tilth.errors import CommandError
from tilth.kernel.store.backups.counts import Counts, require_known
from tilth.kernel.store.backups.postgresql import (
    ANYTHING,
    OBJECTS,
    counted_in,
    engine_of,
    first_line_of,
    restore_archive,
    version_of,
)
from tilth.kernel.store.client_programs import Program, program, run
from tilth.kernel.store.drivers.postgres import refusal_of
from tilth.kernel.store.drivers.postgres_failure import state_of
from tilth.kernel.store.sync import explained
from tilth.kit.text import sentence_list

NO_SUCH_DATABASE = "3D000"
MOST_NAMED = 5

_ARCHIVED = re.compile(r"^\d+; \d+ \d+ TABLE (?P<schema>\S+) (?P<name>.+) \S+$", re.MULTILINE)


def restore_postgresql(backup: Path, url: URL, wanted: Collection[str]) -> Counts:
    """All of it in one transaction, into a database that is empty, or made for it.

    wanted: tables of the application. Raises CommandError, with nothing changed.
    """
    with explained(url), _there(url), engine_of(url) as engine:
        with engine.connect() as connection:
            tool = program("pg_restore", version_of(connection))
            names = [each["name"] for each in _ARCHIVED.finditer(_listed(tool, backup))]
            require_known(str(backup), names, wanted)
            _refuse_used(connection, url)
        restore_archive(tool, backup, url)
        with engine.connect() as connection:
            return counted_in(connection)


def _listed(tool: Program, backup: Path) -> str:
    try:
        return run(tool, ["--list", str(backup.absolute())], os.environ)
    except CommandError as error:
        raise CommandError(f"{backup} is damaged: {error.message}") from error


def _refuse_used(connection: Connection, url: URL) -> None:
    found = connection.execute(text(OBJECTS), {"kinds": ANYTHING}).all()
    if found:
        more = [f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
        names = [f"{schema}.{name}" for schema, name in found[:MOST_NAMED]]
        raise CommandError(
            f"The database {url.database} is not empty: it has {sentence_list([*names, *more])}.",
            "A database of PostgreSQL is not replaced. Restore beside it, TILTH_DATABASE with "
            "another name, which is made; or end the application and rename the old one: ALTER "
            "DATABASE … RENAME TO …",
        )


@contextmanager
def _there(url: URL) -> Iterator[None]:
    """A database that is not there is made, and gone again if it comes to nothing."""
    if _is_there(url):
        yield
        return
    _make(url)
    try:
        yield
    except BaseException:
        with suppress(DBAPIError, psycopg.Error):
            _outside(url, "DROP DATABASE {}")
        raise


def _make(url: URL) -> None:
    try:
        _outside(url, "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
    except (DBAPIError, psycopg.Error) as exc:
        raise CommandError(
            f"The database {url.database} is not there and cannot be made: {first_line_of(exc)}.",
            "Make it yourself, as with createdb, and restore again.",
        ) from exc


def _is_there(url: URL) -> bool:
    """Raises OperationalError for every other reason why there is no connection."""
    with engine_of(url) as engine:
        try:
            engine.connect().close()
        except OperationalError:
            # psycopg keeps no SQLSTATE of a refused connection.
            refusal = asyncio.run(refusal_of(url))
            if refusal is None or state_of(refusal) != NO_SUCH_DATABASE:
                raise
            return False
    return True


def _outside(url: URL, statement: LiteralString) -> None:
    """From the database that every server has."""
    with (
        engine_of(url.set(database="postgres")) as engine,
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        driver: Any = connection.connection.driver_connection
        filled = sql.SQL(statement).format(sql.Identifier(str(url.database)))
        driver.execute(filled)
