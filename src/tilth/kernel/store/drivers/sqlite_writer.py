"""SQLite for writing: an engine whose transactions take the write lock when they begin."""

from __future__ import annotations

import math
import sqlite3
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DisconnectionError

from tilth.kernel.store.drivers.sqlite import STEPS_BETWEEN_LOOKS
from tilth.kernel.store.drivers.sqlite_dialect import keep_instants
from tilth.kernel.store.drivers.sqlite_file import (
    Factory,
    SqliteFile,
    connect,
    primary_code,
    stamp_of,
)
from tilth.kernel.store.drivers.sqlite_references import explain_references
from tilth.settings import StoreSettings

WRITER_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "journal_size_limit = 67108864",
)


TRIES = 6
"""Parts of the time that may be waited for another process's lock: the unit is tried again in each.

SQLite itself looks more and more rarely, and so loses to whoever has just begun to wait.
"""


class Deadline:
    """When the transaction of one connection must be over."""

    def __init__(self) -> None:
        self.at = math.inf

    def has_passed(self) -> bool:
        """True stops the statement."""
        return monotonic() > self.at


def sqlite_write_engine(file: SqliteFile, settings: StoreSettings) -> Engine:
    """One connection; a file that is not there is an error, not a reason to make it."""

    def creator() -> sqlite3.Connection:
        return writer_connection(file, settings.lock_seconds / TRIES)

    engine = create_engine(
        file.url(), creator=creator, poolclass=QueuePool, pool_size=1, max_overflow=0
    )
    keep_instants(engine.dialect)
    guard_connections(engine, file)
    event.listen(engine, "begin", _begin(settings.statement_seconds))
    return engine


def writer_connection(
    file: SqliteFile, lock_seconds: float, factory: Factory = sqlite3.Connection
) -> sqlite3.Connection:
    try:
        return _writer(file, lock_seconds, factory)
    except OSError as exc:
        # SQLAlchemy makes its own errors of the driver's; a missing file should be one of them.
        raise sqlite3.OperationalError(str(exc)) from exc


def guard_connections(engine: Engine, file: SqliteFile) -> None:
    """Statements end at the deadline in `connection.info`; a file that was replaced is noticed.

    Errors know which foreign key was broken.
    """
    event.listen(engine, "connect", _remember(file))
    event.listen(engine, "checkout", _same_file(file))
    explain_references(engine)


def _writer(file: SqliteFile, lock_seconds: float, factory: Factory) -> sqlite3.Connection:
    connection = connect(file.uri(), lock_seconds, factory)
    try:
        for line in WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {line}")
    except BaseException:
        connection.close()
        raise
    return connection


def _remember(file: SqliteFile) -> Any:
    def remember(connection: sqlite3.Connection, record: Any) -> None:
        deadline = record.info["deadline"] = Deadline()
        record.info["stamp"] = () if file.in_memory else stamp_of(file.path)
        connection.set_progress_handler(deadline.has_passed, STEPS_BETWEEN_LOOKS)

    return remember


def _same_file(file: SqliteFile) -> Any:
    """What is written to a file that was replaced would be lost although it was acknowledged."""

    def check(connection: object, record: Any, proxy: object) -> None:
        if file.in_memory:
            return
        try:
            found = stamp_of(file.path)
        except OSError as exc:
            raise DisconnectionError(str(exc)) from exc
        if found != record.info["stamp"]:
            raise DisconnectionError("The file was replaced.")

    return check


def _begin(seconds: float) -> Any:
    """The driver is in autocommit, so BEGIN is said here.

    IMMEDIATE: a transaction that reads first and then writes could not wait for its turn.
    """

    def begin(connection: Connection) -> None:
        connection.info["deadline"].at = monotonic() + seconds
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return begin


def is_transaction_open(connection: Connection) -> bool:
    """Some failures, such as a full disk, roll back everything (sqlite.org/lang_transaction.html)."""
    if connection.invalidated:
        return False
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)


def is_sqlite_conflict(exc: BaseException) -> bool:
    """Another process has the lock, or a table of a database in memory is locked."""
    return isinstance(exc, sqlite3.Error) and primary_code(exc) in _LOCKS


_LOCKS = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
