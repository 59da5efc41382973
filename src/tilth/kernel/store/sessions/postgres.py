"""A PostgreSQL database → the engines that sessions of the developer's own code run on."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from tilth.kernel.store.drivers.postgres_writer import (
    postgres_write_engine,
    postgres_write_engine_in_loop,
)
from tilth.kernel.store.sessions.engines import Engines, Pair
from tilth.settings import StoreSettings


def postgres_engines(url: URL, settings: StoreSettings) -> Engines:
    """Those that only read share the connections of those that write."""

    def plain() -> Pair[Engine]:
        engine = postgres_write_engine(url, settings)
        return Pair(engine.execution_options(postgresql_readonly=True), engine)

    def in_loop() -> Pair[AsyncEngine]:
        engine = postgres_write_engine_in_loop(url, settings)
        return Pair(engine.execution_options(postgresql_readonly=True), engine)

    return Engines(plain, in_loop)
