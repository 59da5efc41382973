"""A SQLite file → the engines that sessions of the developer's own code run on."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable
from time import monotonic
from typing import Any

from sqlalchemy import (
    AsyncAdaptedQueuePool,
    Connection,
    Engine,
    QueuePool,
    create_engine,
    event,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from tilth.kernel.store.drivers.sqlite_dialect import keep_instants
from tilth.kernel.store.drivers.sqlite_file import SqliteFile, open_reader, primary_code
from tilth.kernel.store.drivers.sqlite_inline import InlineConnection
from tilth.kernel.store.drivers.sqlite_writer import guard_connections, writer_connection
from tilth.kernel.store.sessions.engines import Engines, Pair
from tilth.kernel.store.sessions.turns import Turns, give_turns_back, keep_turn
from tilth.settings import StoreSettings

CROWD = 9
"""Connections for a moment of many at once, for each of those that are kept."""

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.05


def sqlite_engines(file: SqliteFile, settings: StoreSettings, turns: Turns) -> Engines:
    def plain() -> Pair[Engine]:
        return Pair(_reading(file, settings), _writing(file, settings, turns))

    def in_loop() -> Pair[AsyncEngine]:
        return Pair(_reading_in_loop(file, settings), _writing_in_loop(file, settings, turns))

    return Engines(plain, in_loop)


def _reading(file: SqliteFile, settings: StoreSettings) -> Engine:
    def creator() -> sqlite3.Connection:
        return _reader(file, settings.lock_seconds, sqlite3.Connection)

    engine = create_engine(file.url(), creator=creator, poolclass=QueuePool, **_pool(settings))
    return _with_begin(engine, file, settings, "BEGIN")


def _reading_in_loop(file: SqliteFile, settings: StoreSettings) -> AsyncEngine:
    def creator() -> sqlite3.Connection:
        return _in_no_time(_reader(file, settings.lock_seconds, InlineConnection))

    return AsyncEngine(_with_begin(_inline(file, creator, settings), file, settings, "BEGIN"))


def _writing(file: SqliteFile, settings: StoreSettings, turns: Turns) -> Engine:
    def creator() -> sqlite3.Connection:
        return writer_connection(file, settings.lock_seconds)

    engine = create_engine(file.url(), creator=creator, poolclass=QueuePool, **_pool(settings))

    @event.listens_for(engine, "begin")
    def take_turn(connection: Connection) -> None:
        keep_turn(connection, turns.take())

    return give_turns_back(_with_begin(engine, file, settings, "BEGIN IMMEDIATE"))


def _writing_in_loop(file: SqliteFile, settings: StoreSettings, turns: Turns) -> AsyncEngine:
    """Nothing here may block: whoever holds the lock could be another task of the same loop."""

    def creator() -> sqlite3.Connection:
        return _in_no_time(writer_connection(file, settings.lock_seconds, InlineConnection))

    engine = _inline(file, creator, settings)
    keep_instants(engine.dialect)
    guard_connections(engine, file)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        keep_turn(connection, await_only(turns.take_in_loop()))
        connection.info["deadline"].at = monotonic() + settings.statement_seconds
        _begin_patiently(connection, settings.lock_seconds)

    return AsyncEngine(give_turns_back(engine))


def _in_no_time(connection: sqlite3.Connection) -> sqlite3.Connection:
    """To open it, a lock may have to be waited for, once; afterwards the loop does not stand still."""
    connection.execute("PRAGMA busy_timeout = 0")
    return connection


def _begin_patiently(connection: Connection, seconds: float) -> None:
    """Another process may be writing; SQLite itself would wait with the loop standing still."""
    give_up, pause = monotonic() + seconds, FIRST_PAUSE_SECONDS
    while True:
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except DBAPIError as exc:
            if not _is_busy(exc) or monotonic() > give_up:
                raise
        else:
            return
        await_only(asyncio.sleep(pause * random.random()))
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _is_busy(exc: DBAPIError) -> bool:
    return isinstance(exc.orig, sqlite3.Error) and primary_code(exc.orig) == sqlite3.SQLITE_BUSY


def _pool(settings: StoreSettings) -> dict[str, Any]:
    """A connection is cheap, and who waits for the turn to write has one already."""
    return {
        "pool_size": settings.pool_size,
        "max_overflow": settings.pool_size * CROWD,
        "pool_timeout": settings.pool_wait_seconds,
    }


def _inline(
    file: SqliteFile, creator: Callable[[], sqlite3.Connection], settings: StoreSettings
) -> Engine:
    return create_engine(
        file.url().set(drivername="sqlite+inline"),
        creator=creator,
        poolclass=AsyncAdaptedQueuePool,
        **_pool(settings),
    )


def _reader(
    file: SqliteFile, busy_seconds: float, factory: type[sqlite3.Connection]
) -> sqlite3.Connection:
    try:
        return open_reader(file, busy_seconds, factory).connection
    except OSError as exc:
        # SQLAlchemy makes its own errors of the driver's; a missing file should be one of them.
        raise sqlite3.OperationalError(str(exc)) from exc


def _with_begin(engine: Engine, file: SqliteFile, settings: StoreSettings, begin: str) -> Engine:
    keep_instants(engine.dialect)
    guard_connections(engine, file)

    @event.listens_for(engine, "begin")
    def begin_explicitly(connection: Connection) -> None:
        connection.info["deadline"].at = monotonic() + settings.statement_seconds
        connection.exec_driver_sql(begin)

    return engine
