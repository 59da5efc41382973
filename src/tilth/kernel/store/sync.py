"""A database URL → a synchronous SQLAlchemy engine: for reflection, for making tables, for seeds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, MetaData, QueuePool, Table, create_engine, event, inspect
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from tilth.errors import CommandError, SetupError
from tilth.kernel.store.drivers.failure import Failure
from tilth.kernel.store.drivers.sqlite_dialect import keep_instants
from tilth.kernel.store.drivers.sqlite_failure import sqlite_failure
from tilth.kernel.store.drivers.sqlite_file import (
    SqliteFile,
    connect,
    open_reader,
    sqlite_file_from,
)
from tilth.kernel.store.drivers.sqlite_writer import WRITER_PRAGMAS
from tilth.kernel.store.engine import database_url, missing_driver, refuse_mariadb
from tilth.settings import StoreSettings

CONNECT_SECONDS = 3
LOCK_SECONDS = 5.0
"""Longer than a request waits: this is work that somebody watches."""


def sync_engine(url: str | URL, *, read_only: bool = False) -> Engine:
    """Not connected yet. A SQLite file that does not exist is made, unless read_only.

    Raises SetupError when the URL is not one Tilth knows or its driver is not installed.
    """
    where = database_url(url)
    if where.drivername == "sqlite":
        return _sqlite_engine(sqlite_file_from(where, read_only=read_only), read_only)
    if where.drivername == "mariadb":
        return _mariadb_engine(where, read_only)
    return _postgres_engine(where, read_only)


def existing_engine(url: str | URL) -> Engine:
    """Of a database that is another program's: only for reading, and nothing to make.

    Raises as sync_engine does, and CommandError for a URL of a SQLite database in memory.
    """
    where = database_url(url)
    refuse_mariadb(where, "Databases of other programs are")
    if where.drivername == "sqlite" and where.database in (None, "", ":memory:"):
        raise CommandError("The URL names no database file.", "Write sqlite:///path/to/file.db.")
    return sync_engine(where, read_only=True)


def _sqlite_engine(file: SqliteFile, read_only: bool) -> Engine:
    reads = read_only or file.is_read_only

    def creator() -> sqlite3.Connection:
        return _reader(file) if reads else _writer(file)

    engine = create_engine(file.url(), creator=creator, poolclass=QueuePool)
    keep_instants(engine.dialect)
    # The driver is in autocommit, so BEGIN is said here. IMMEDIATE: a transaction that starts with
    # a read and then writes could not wait for its turn, it would fail at once.
    begin = "BEGIN" if reads else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def begin_explicitly(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _reader(file: SqliteFile) -> sqlite3.Connection:
    try:
        return open_reader(file, LOCK_SECONDS).connection
    except OSError as exc:
        # SQLAlchemy makes its own errors of the driver's; a missing file should be one of them.
        raise sqlite3.OperationalError(str(exc)) from exc


def _writer(file: SqliteFile) -> sqlite3.Connection:
    uri = file.uri() if file.in_memory else file.uri(mode="rwc")
    connection = connect(uri, LOCK_SECONDS)
    try:
        for line in WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {line}")
    except BaseException:
        connection.close()
        raise
    return connection


def _postgres_engine(url: URL, read_only: bool) -> Engine:
    mode = " -c default_transaction_read_only=on" if read_only else ""
    options = f"{url.query.get('options', '')} -c timezone=UTC{mode}".strip()
    try:
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={"options": options, "connect_timeout": CONNECT_SECONDS},
        )
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver("psycopg")) from exc


def _mariadb_engine(url: URL, read_only: bool) -> Engine:
    settings = StoreSettings(lock_seconds=LOCK_SECONDS, statement_seconds=0)
    try:
        from tilth.kernel.store.drivers.mariadb_writer import (
            mariadb_read_engine,
            mariadb_write_engine,
        )

        return (mariadb_read_engine if read_only else mariadb_write_engine)(url, settings)
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver(exc.name or "pymysql")) from exc


def create_missing_tables(engine: Engine, metadatas: Iterable[MetaData]) -> list[str]:
    """In one transaction; answers the names of the tables made, each after those it refers to."""
    made: list[str] = []
    with engine.begin() as connection:
        for metadata in metadatas:
            missing = list(_missing(connection, metadata.sorted_tables))
            metadata.create_all(connection, tables=missing)
            made += [table.fullname for table in missing]
    return made


def missing_tables(engine: Engine, tables: Iterable[Table]) -> list[str]:
    """The names of those that are neither a table nor a view of the database."""
    with engine.connect() as connection:
        return [table.fullname for table in _missing(connection, tables)]


def missing_columns(engine: Engine, tables: Iterable[Table]) -> list[str]:
    """ "hero.age" for each column that its table, which is there, does not have."""
    lacking: list[str] = []
    with engine.connect() as connection:
        inspector = inspect(connection)
        for table in tables:
            found = inspector.get_columns(table.name, schema=table.schema)
            # SQLite takes names in any case.
            names = {each["name"].lower() for each in found}
            lacking += [str(each) for each in table.columns if each.name.lower() not in names]
    return lacking


def _missing(connection: Connection, tables: Iterable[Table]) -> Iterator[Table]:
    inspector = inspect(connection)
    return (table for table in tables if not inspector.has_table(table.name, schema=table.schema))


@contextmanager
def explained(url: str | URL) -> Iterator[None]:
    """Whatever goes wrong with the database becomes a CommandError of one sentence."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as exc:
        raise explain_connection_error(exc, url) from exc


def explain_connection_error(exc: BaseException, url: str | URL) -> CommandError:
    """One sentence on why the database cannot be used, without its password, and what to do."""
    if isinstance(exc, SetupError):
        return CommandError(exc.findings[0].reason, exc.findings[0].remedy)
    where = database_url(url)
    label = where.set(query={}).render_as_string(hide_password=True)
    chain = list(chain_of(exc))
    failure = next(filter(None, (failure_of(each, where) for each in chain)), None)
    if failure is not None:
        return CommandError(f"{label}: {failure.sentence}", failure.hint or None)
    return CommandError(f"{label}: {_first_line(chain[-1])}")


def chain_of(exc: BaseException) -> Iterator[BaseException]:
    """The error and what it stands for: SQLAlchemy keeps the driver's as `orig`."""
    found: BaseException | None = exc
    while found is not None:
        yield found
        found = getattr(found, "orig", None) or found.__cause__


def failure_of(exc: BaseException, url: URL, *, seconds: float = 0.0) -> Failure | None:
    """What an error of the synchronous drivers means; None when it is no failure of the database.

    seconds: the statement's deadline, where there is one.
    """
    if _is_read_only(exc):
        return READ_ONLY
    if url.drivername == "sqlite":
        if not isinstance(exc, sqlite3.Error | OSError):
            return None
        return sqlite_failure(exc, sqlite_file_from(url), seconds=seconds)
    if url.drivername == "mariadb":
        from tilth.kernel.store.drivers.mariadb_failure import mariadb_failure

        return mariadb_failure(exc, seconds=seconds)
    return _postgres_failure_of(exc, url, seconds)


def _is_read_only(exc: BaseException) -> bool:
    """A write was refused. A read never meets this, so it is not among the failures of reading."""
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_READONLY or getattr(exc, "sqlstate", None) == "25006"


READ_ONLY = Failure(
    "database_unavailable",
    "The database is read-only.",
    "Give this program's user the right to write to it, or use another database.",
)


def _postgres_failure_of(exc: BaseException, url: URL, seconds: float) -> Failure | None:
    # Imported here, like every driver: nobody needs the one of the other database.
    from tilth.kernel.store.drivers.postgres import refusal_of
    from tilth.kernel.store.drivers.postgres_failure import postgres_failure

    known = postgres_failure(exc, seconds=seconds)
    if known is not None or not _is_refused_connection(exc):
        return known
    # psycopg keeps no SQLSTATE of a refused connection, only a sentence in the server's language.
    # asyncpg does: ask the server again.
    with ThreadPoolExecutor(1) as thread:
        refusal = thread.submit(asyncio.run, refusal_of(url)).result()
    return None if refusal is None else postgres_failure(refusal)


def _is_refused_connection(exc: BaseException) -> bool:
    import psycopg

    return isinstance(exc, psycopg.OperationalError) and exc.sqlstate is None


def _first_line(exc: BaseException) -> str:
    return str(exc).strip().partition("\n")[0] or type(exc).__name__
