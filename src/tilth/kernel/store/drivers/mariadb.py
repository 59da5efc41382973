"""MariaDB for reading: connections of aiomysql that may not write, kept by SQLAlchemy's pool."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import aiomysql  # noqa: F401  its lack is told before anything is read
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tilth.errors import TilthError
from tilth.kernel.store.drivers.failure import no_connection_free, unavailable, unfit_value
from tilth.kernel.store.drivers.mariadb_dialect import adapted, reading_dialect
from tilth.kernel.store.drivers.mariadb_failure import is_lost, is_unfit_value, mariadb_failure
from tilth.kernel.store.drivers.mariadb_writer import connect_arguments, require_order_of_texts
from tilth.settings import StoreSettings

Rows = list[tuple[Any, ...]]


class MariadbDatabase:
    """Reads from one MariaDB database; connections come with the first reads.

    Answers are text, whole numbers, floats and booleans only.
    """

    def __init__(self, url: URL, settings: StoreSettings) -> None:
        self.dialect: Dialect = reading_dialect()
        self.url = url
        self.label = url.set(query={}).render_as_string(hide_password=True)
        self._settings = settings
        self._engines: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncEngine] = (
            WeakKeyDictionary()
        )

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        try:
            return await self._fetch_twice(sql, arguments)
        except PoolTimeout as exc:
            busy = no_connection_free(self._settings.pool_wait_seconds)
            raise unavailable(busy, self.label) from exc
        except DBAPIError as exc:
            explained = self._explained(exc)
            if explained is None:
                raise
            raise explained from exc

    async def ping(self) -> None:
        await self.fetch("SELECT 1", ())

    async def close(self) -> None:
        engine = self._engines.pop(asyncio.get_running_loop(), None)
        if engine is not None:
            await engine.dispose()
            # aiomysql does not wait for its sockets, which close when the loop comes to it.
            await asyncio.sleep(0)

    async def _fetch_twice(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """A kept connection may have died unnoticed; reading again changes nothing."""
        try:
            return await self._fetch_once(sql, arguments)
        except DBAPIError as exc:
            if not (exc.connection_invalidated or (exc.orig is not None and is_lost(exc.orig))):
                raise
        return await self._fetch_once(sql, arguments)

    async def _fetch_once(self, sql: str, arguments: Sequence[Any]) -> Rows:
        async with self._engine().connect() as connection:
            rows = await connection.exec_driver_sql(sql, tuple(arguments))
            return [tuple(row) for row in rows]

    def _engine(self) -> AsyncEngine:
        """Connections belong to the event loop that made them."""
        loop = asyncio.get_running_loop()
        engine = self._engines.get(loop)
        if engine is None:
            engine = self._engines[loop] = self._made()
        return engine

    def _made(self) -> AsyncEngine:
        settings = self._settings
        engine = create_async_engine(
            self.url.set(drivername="mariadb+aiomysql"),
            connect_args=connect_arguments(settings, writes=False),
            pool_size=settings.pool_size,
            max_overflow=0,
            pool_timeout=settings.pool_wait_seconds,
            # One statement is one transaction: nothing to begin, and nothing to take back.
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
        )
        require_order_of_texts(engine.sync_engine)
        adapted(engine.sync_engine.dialect)
        return engine

    def _explained(self, exc: DBAPIError) -> TilthError | None:
        orig = exc.orig
        if orig is None:
            return None
        if is_unfit_value(orig):
            return unfit_value()
        failure = mariadb_failure(orig, seconds=self._settings.statement_seconds)
        return None if failure is None else unavailable(failure, self.label)
