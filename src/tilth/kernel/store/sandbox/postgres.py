"""A PostgreSQL database → one transaction on it, which is rolled back.

Units, sessions and reads share one connection, each in a savepoint of its own and one after the
other, so that each sees what those before it have committed, and nobody else ever does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only

from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.drivers.failure import no_turn, unavailable
from tilth.kernel.store.drivers.postgres_writer import (
    adapt,
    connect_arguments,
    is_postgres_conflict,
)
from tilth.kernel.store.sandbox.parts import Parts
from tilth.kernel.store.sessions.engines import Engines, Pair
from tilth.kernel.store.sessions.turns import Turns, give_turns_back, keep_turn
from tilth.kernel.store.unit import Units
from tilth.kernel.store.writing import explainer
from tilth.settings import StoreSettings

Rows = list[tuple[Any, ...]]


class InlineCursor(psycopg.Cursor[Any]):
    """With what SQLAlchemy's asyncio asks of a cursor beyond the DB-API; rows are in memory."""

    async def _async_soft_close(self) -> None: ...


class SandboxConnection(psycopg.Connection[Any]):
    """Its transaction stays open: to commit is to keep the savepoint that was begun last.

    Several pools hold it; none of them closes it.
    """

    is_in_savepoint = False

    def begin(self) -> None:
        self.execute("SAVEPOINT tilth_sandbox")
        self.is_in_savepoint = True

    def commit(self) -> None:
        self._leave("RELEASE SAVEPOINT tilth_sandbox")

    def rollback(self) -> None:
        self._leave("ROLLBACK TO SAVEPOINT tilth_sandbox", "RELEASE SAVEPOINT tilth_sandbox")

    def close(self) -> None: ...

    def end(self) -> None:
        super().close()

    def _leave(self, *statements: str) -> None:
        if self.is_in_savepoint:
            for statement in statements:
                self.execute(statement.encode())
            self.is_in_savepoint = False


@contextmanager
def transaction_on(database: Database, settings: StoreSettings) -> Iterator[Parts]:
    connection = _connected(database.url, settings)
    try:
        of_units = _with_savepoints(_engine(database.url, connection))
        units = Units(
            lambda: of_units,
            explainer(database.url, database.label, settings),
            is_postgres_conflict,
            settings,
            threads=1,
            label=database.label,
        )
        turns = Turns(units.submit, settings.pool_wait_seconds, database.label)
        plain = _plain(_engine(database.url, connection), turns)
        in_loop = _in_loop(_engine(database.url, connection), turns)
        engines = Engines(lambda: plain, lambda: in_loop)
        reads = SandboxReads(database, connection, units, settings.pool_wait_seconds)
        yield Parts(reads, units, engines)
    finally:
        # Without a commit, closing it takes everything back.
        connection.end()


def _connected(url: URL, settings: StoreSettings) -> SandboxConnection:
    """options of the URL are among the arguments already."""
    address = url.difference_update_query(["options"]).render_as_string(hide_password=False)
    arguments = connect_arguments(url, settings)
    connection = SandboxConnection.connect(address, **arguments, cursor_factory=InlineCursor)
    adapt(connection)
    return connection


def _engine(url: URL, connection: SandboxConnection) -> Engine:
    """Connected at once: the first time, SQLAlchemy asks the server about itself and rolls back."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        creator=lambda: connection,
        max_overflow=-1,
        pool_reset_on_return=None,
    )
    engine.connect().close()
    return engine


def _with_savepoints(engine: Engine) -> Engine:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        _raw(connection).begin()

    return engine


def _raw(connection: Connection) -> SandboxConnection:
    found: Any = connection.connection.driver_connection
    assert isinstance(found, SandboxConnection)  # which the engine was made for
    return found


def _plain(engine: Engine, turns: Turns) -> Pair[Engine]:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        keep_turn(connection, turns.take())
        _raw(connection).begin()

    give_turns_back(engine)
    return Pair(engine, engine)


def _in_loop(engine: Engine, turns: Turns) -> Pair[AsyncEngine]:
    """In place, as on SQLite: one connection cannot be one with await and one without."""
    engine.dialect.is_async = True

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        keep_turn(connection, await_only(turns.take_in_loop()))
        _raw(connection).begin()

    in_loop = AsyncEngine(give_turns_back(engine))
    return Pair(in_loop, in_loop)


class SandboxReads:
    """Reads in the transaction of the sandbox, by the thread of its units."""

    def __init__(
        self,
        database: Database,
        connection: SandboxConnection,
        units: Units,
        wait_seconds: float,
    ) -> None:
        self._database, self._connection, self._units = database, connection, units
        self._wait_seconds = wait_seconds

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    @property
    def url(self) -> URL:
        return self._database.url

    @property
    def label(self) -> str:
        return self._database.label

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        future = self._units.submit(partial(self._fetched, sql, arguments))
        try:
            async with asyncio.timeout(self._wait_seconds):
                rows: Any = await asyncio.wrap_future(future)
        except TimeoutError:
            raise unavailable(no_turn(self._wait_seconds), self.label) from None
        found: Rows = rows
        return found

    def _fetched(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """The statement has numbered parameters, as the driver for reading takes them."""
        self._connection.begin()
        try:
            with psycopg.RawCursor(self._connection) as cursor:
                return cursor.execute(sql.encode(), list(arguments)).fetchall()
        finally:
            self._connection.rollback()

    async def ping(self) -> None:
        await self.fetch("SELECT 1", ())

    async def close(self) -> None: ...
