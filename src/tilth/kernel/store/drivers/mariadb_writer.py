"""MariaDB for writing: engines whose connections are strict, in UTC and of one order of text."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tilth.kernel.store.drivers.failure import unavailable
from tilth.kernel.store.drivers.mariadb_dialect import adapted
from tilth.kernel.store.drivers.mariadb_failure import (
    CHECK_FAILED,
    NO_DEFAULT,
    errno_of,
    wrong_order,
)
from tilth.settings import StoreSettings

CONNECT_SECONDS = 3

BY_CODE_POINT = "_nopad_bin"
"""Ends the names of collations that tell texts apart by case, accents and spaces at the end."""

STRICT = (
    "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,"
    "NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"
)


def session_settings(settings: StoreSettings) -> dict[str, str | float]:
    """Nothing that depends on the server's configuration; whole seconds where it knows no others.

    READ COMMITTED: a row that was waited for is seen as it is, not as it was when the transaction began.
    """
    return {
        "time_zone": "+00:00",
        "sql_mode": STRICT,
        # Messages are the only place in which it names a constraint.
        "lc_messages": "en_US",
        "tx_isolation": "READ-COMMITTED",
        "innodb_lock_wait_timeout": max(1, math.ceil(settings.lock_seconds)),
        "idle_transaction_timeout": max(1, math.ceil(settings.idle_in_transaction_seconds)),
        "max_statement_time": settings.statement_seconds,
        # JSON arrays are cut off there, without an error.
        "group_concat_max_len": 4_294_967_295,
    }


def said(settings: dict[str, str | float]) -> str:
    """Names and values are this module's own, none comes from outside."""
    told = (
        f"{name} = {value!r}" if isinstance(value, str) else f"{name} = {value}"
        for name, value in settings.items()
    )
    return f"SET SESSION {', '.join(told)}"


def connect_arguments(settings: StoreSettings, *, writes: bool) -> dict[str, Any]:
    told = session_settings(settings)
    return {
        "connect_timeout": CONNECT_SECONDS,
        "charset": "utf8mb4",
        "init_command": said(told if writes else {**told, "tx_read_only": 1}),
    }


def mariadb_write_engine(url: URL, settings: StoreSettings) -> Engine:
    return _plain(url, settings, writes=True)


def mariadb_read_engine(url: URL, settings: StoreSettings) -> Engine:
    return _plain(url, settings, writes=False)


def mariadb_write_engine_in_loop(url: URL, settings: StoreSettings) -> AsyncEngine:
    """Over the same driver, so that values and errors are the same."""
    return _in_loop(url, settings, writes=True)


def mariadb_read_engine_in_loop(url: URL, settings: StoreSettings) -> AsyncEngine:
    return _in_loop(url, settings, writes=False)


def _plain(url: URL, settings: StoreSettings, *, writes: bool) -> Engine:
    where = url.set(drivername="mariadb+pymysql")
    engine = create_engine(where, **_arguments(settings, writes))
    return _prepared(engine)


def _in_loop(url: URL, settings: StoreSettings, *, writes: bool) -> AsyncEngine:
    where = url.set(drivername="mariadb+aiomysql")
    engine = create_async_engine(where, **_arguments(settings, writes))
    _prepared(engine.sync_engine)
    return engine


def _prepared(engine: Engine) -> Engine:
    require_order_of_texts(engine)
    adapted(engine.dialect)
    event.listen(engine, "handle_error", _broken_rule)
    return engine


def require_order_of_texts(engine: Engine) -> None:
    """Connections raise Unavailable where texts that differ would be taken for the same."""

    @event.listens_for(engine, "connect")
    def look(connection: DBAPIConnection, record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT @@collation_database")
        [found] = cursor.fetchone() or [""]
        cursor.close()
        if not found.endswith(BY_CODE_POINT):
            raise unavailable(wrong_order(found), str(engine.url))


def _broken_rule(context: ExceptionContext) -> IntegrityError | None:
    """What the driver counts among failures of operation: a CHECK, and a value that is missing."""
    orig = context.original_exception
    if errno_of(orig) not in (CHECK_FAILED, NO_DEFAULT):
        return None
    return IntegrityError(context.statement, context.parameters, orig)


def _arguments(settings: StoreSettings, writes: bool) -> dict[str, Any]:
    return {
        "connect_args": connect_arguments(settings, writes=writes),
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.pool_wait_seconds,
    }
