"""PostgreSQL for writing: a psycopg engine whose answers look like those of the readers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Loader
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tilth.kernel.schema.durations import timedelta_from
from tilth.kernel.store.drivers.postgres import CONNECT_SECONDS, session_parameters, set_local
from tilth.settings import StoreSettings


class IsoInterval(Loader):
    """Intervals arrive in ISO 8601, as readers ask for them; psycopg itself knows another style."""

    def load(self, data: Buffer) -> timedelta:
        return timedelta_from(bytes(data).decode())


def postgres_write_engine(url: URL, settings: StoreSettings) -> Engine:
    return _prepared(create_engine(_psycopg(url), **_arguments(url, settings)), settings)


def postgres_write_engine_in_loop(url: URL, settings: StoreSettings) -> AsyncEngine:
    """The same driver, so that values and errors are the same."""
    engine = create_async_engine(_psycopg(url), **_arguments(url, settings))
    _prepared(engine.sync_engine, settings)
    return engine


def _psycopg(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg")


def _arguments(url: URL, settings: StoreSettings) -> dict[str, Any]:
    return {
        "connect_args": connect_arguments(url, settings),
        "pool_size": settings.pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.pool_wait_seconds,
    }


def connect_arguments(url: URL, settings: StoreSettings) -> dict[str, Any]:
    """What psycopg is told beside the address."""
    pooled = settings.pooler
    options = {} if pooled else {"options": _options(url, writing_parameters(settings))}
    return {
        "connect_timeout": round(CONNECT_SECONDS),
        "prepare_threshold": None if pooled else 5,
        **options,
    }


def _prepared(engine: Engine, settings: StoreSettings) -> Engine:
    event.listen(engine, "connect", lambda connection, _: adapt(connection))
    if settings.pooler:
        parameters = writing_parameters(settings)
        # A pooler may give every transaction another server, so the settings travel with it.
        event.listen(engine, "begin", lambda connection: _set(connection, parameters))
    return engine


def writing_parameters(settings: StoreSettings) -> Mapping[str, str]:
    """Those of readers, with the right to write."""
    return {**session_parameters(settings), "default_transaction_read_only": "off"}


def _options(url: URL, parameters: Mapping[str, str]) -> str:
    asked = url.query.get("options", "")
    # In libpq's options a space ends a word unless it is escaped.
    own = (f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in parameters.items())
    return " ".join([*([asked] if isinstance(asked, str) and asked else []), *own])


def adapt(connection: psycopg.Connection[Any]) -> None:
    connection.adapters.register_loader("interval", IsoInterval)


def _set(connection: Connection, parameters: Mapping[str, str]) -> None:
    connection.exec_driver_sql(set_local(parameters))


_COLLISIONS = frozenset({"40001", "40P01", "55P03"})


def is_postgres_conflict(exc: BaseException) -> bool:
    """A serialization failure, a deadlock, or a lock that others held for too long.

    While many wait for the same rows, some of them wait for those that a deadlock has ended.
    """
    return isinstance(exc, psycopg.Error) and exc.sqlstate in _COLLISIONS
