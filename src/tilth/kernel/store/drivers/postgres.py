"""PostgreSQL for reading: asyncpg connections whose transactions are read only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import URL, Dialect

from tilth.errors import TilthError
from tilth.kernel.store.drivers.failure import (
    no_connection_free,
    unavailable,
    unfit_value,
)
from tilth.kernel.store.drivers.postgres_failure import (
    deserves_another_try,
    is_unfit_value,
    postgres_failure,
)
from tilth.kernel.store.drivers.postgres_pool import DRIVER_ERRORS, Connection, NoneFree, Pool
from tilth.settings import StoreSettings

Rows = list[tuple[Any, ...]]

CONNECT_SECONDS = 3.0
GRACE_SECONDS = 1.0
"""The server ends a statement in time; this much later the server itself counts as silent."""

STATEMENTS_KEPT = 256
"""Prepared statements of one connection: about as many as an application has shapes of reads."""


class PostgresDatabase:
    """Reads from one PostgreSQL database; connections come with the first reads.

    Values go in as Python objects of the type that the statement casts its parameter to (asyncpg's
    table of types); answers are text, whole numbers, floats and booleans only.
    """

    def __init__(self, url: URL, settings: StoreSettings) -> None:
        self.dialect: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
        self.url = url
        self.label = url.set(query={}).render_as_string(hide_password=True)
        self._settings = settings
        self._session = session_parameters(settings)
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        try:
            return await self._fetch_twice(sql, arguments)
        except NoneFree as exc:
            busy = no_connection_free(self._settings.pool_wait_seconds)
            raise unavailable(busy, self.label) from exc
        except DRIVER_ERRORS as exc:
            explained = self._explained(exc, sql)
            if explained is None:
                raise
            raise explained from exc

    async def ping(self) -> None:
        await self.fetch("SELECT 1", ())

    async def close(self) -> None:
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()

    async def _fetch_twice(self, sql: str, arguments: Sequence[Any]) -> Rows:
        """A kept connection may have died unnoticed; reading again changes nothing."""
        pool = self._pool()
        try:
            return await self._fetch_once(pool, sql, arguments)
        except DRIVER_ERRORS as exc:
            if not deserves_another_try(exc):
                raise
        pool.forget_idle()
        return await self._fetch_once(pool, sql, arguments)

    async def _fetch_once(self, pool: Pool, sql: str, arguments: Sequence[Any]) -> Rows:
        connection = await pool.take()
        try:
            rows = await self._rows(connection, sql, arguments)
        except BaseException as exc:
            self._part_with(connection, pool, exc)
            raise
        pool.give_back(connection)
        return rows

    def _part_with(self, connection: Connection, pool: Pool, exc: BaseException) -> None:
        """A refused statement leaves its connection as it was; anything else may not."""
        if isinstance(exc, asyncpg.PostgresError) and not deserves_another_try(exc):
            pool.give_back(connection)
        else:
            pool.drop(connection)

    async def _rows(self, connection: Connection, sql: str, arguments: Sequence[Any]) -> Rows:
        if not self._settings.pooler:
            return [tuple(row) for row in await connection.fetch(sql, *arguments)]
        # A pooler refuses start-up parameters it does not know and may give every transaction
        # another server, so the settings travel with the transaction.
        await connection.execute(f"BEGIN READ ONLY; {set_local(self._session)}")
        try:
            rows = [tuple(row) for row in await connection.fetch(sql, *arguments)]
        except asyncpg.PostgresError:
            if not connection.is_closed():
                await connection.execute("ROLLBACK")
            raise
        await connection.execute("COMMIT")
        return rows

    def _pool(self) -> Pool:
        """asyncpg's connections belong to the event loop that made them."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            settings = self._settings
            pool = Pool(
                self._connect, size=settings.pool_size, wait_seconds=settings.pool_wait_seconds
            )
            self._pools[loop] = pool
        return pool

    async def _connect(self) -> Connection:
        settings = self._settings
        connection: Connection = await asyncpg.connect(
            _address(self.url),
            timeout=CONNECT_SECONDS,
            command_timeout=settings.statement_seconds + GRACE_SECONDS,
            statement_cache_size=0 if settings.pooler else STATEMENTS_KEPT,
            max_cacheable_statement_size=0,
            server_settings=None if settings.pooler else self._session,
        )
        for name in ("date", "timestamp", "timestamptz"):
            # asyncpg takes Python's first and last date, such as 9999-12-31, for infinities.
            await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=str)
        return connection

    def _explained(self, exc: Exception, sql: str) -> TilthError | None:
        if is_unfit_value(exc):
            return unfit_value()
        failure = postgres_failure(exc, sql=sql, seconds=self._settings.statement_seconds)
        return None if failure is None else unavailable(failure, self.label)


async def refusal_of(url: URL) -> Exception | None:
    """Why the server does not grant a connection; None when it does."""
    try:
        connection = await asyncpg.connect(_address(url), timeout=CONNECT_SECONDS)
        await connection.close(timeout=CONNECT_SECONDS)
    except DRIVER_ERRORS as exc:
        return exc
    return None


def _address(url: URL) -> str:
    return url.difference_update_query(_LIBPQ_ONLY).render_as_string(hide_password=False)


_LIBPQ_ONLY = (
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
)
"""Options in URLs that hosts hand out; asyncpg would send them on as settings of the server."""


def session_parameters(settings: StoreSettings) -> Mapping[str, str]:
    """Spellings that do not depend on the server's configuration, deadlines, and no writing."""
    return {
        "application_name": "tilth",
        "timezone": "UTC",
        "datestyle": "ISO, YMD",
        "intervalstyle": "iso_8601",
        "bytea_output": "hex",
        "statement_timeout": _milliseconds(settings.statement_seconds),
        "lock_timeout": _milliseconds(settings.lock_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(settings.idle_in_transaction_seconds),
        "default_transaction_read_only": "on",
    }


def _milliseconds(seconds: float) -> str:
    """At least one: PostgreSQL takes 0 for "no limit"."""
    return str(max(1, round(seconds * 1000)))


def set_local(parameters: Mapping[str, str]) -> str:
    """Names and values are this module's own, none comes from outside."""
    return "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in parameters.items())
