"""A PostgreSQL database → the engines that sessions of the developer's own code run on."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from tilth.kernel.store.drivers.postgres_writer import (
    postgres_write_engine,
    postgres_write_engine_in_loop,
)
from tilth.kernel.store.sessions.engines import Engines
from tilth.settings import StoreSettings


def postgres_engines(url: URL, settings: StoreSettings) -> Engines:
    """Those that only read share the connections of those that write."""

    @cache
    def writing() -> Engine:
        return postgres_write_engine(url, settings)

    @cache
    def writing_in_loop() -> AsyncEngine:
        return postgres_write_engine_in_loop(url, settings)

    return Engines(
        reading=lambda: writing().execution_options(postgresql_readonly=True),
        reading_in_loop=lambda: writing_in_loop().execution_options(postgresql_readonly=True),
        writing=writing,
        writing_in_loop=writing_in_loop,
    )
