"""A MariaDB database → the engines that sessions of the developer's own code run on."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from tilth.kernel.store.drivers.mariadb_writer import (
    mariadb_read_engine,
    mariadb_read_engine_in_loop,
    mariadb_write_engine,
    mariadb_write_engine_in_loop,
)
from tilth.kernel.store.sessions.engines import Engines, Pair
from tilth.settings import StoreSettings


def mariadb_engines(url: URL, settings: StoreSettings) -> Engines:
    """Those that only read have connections of their own, whose transactions cannot write."""

    def plain() -> Pair[Engine]:
        return Pair(mariadb_read_engine(url, settings), mariadb_write_engine(url, settings))

    def in_loop() -> Pair[AsyncEngine]:
        return Pair(
            mariadb_read_engine_in_loop(url, settings), mariadb_write_engine_in_loop(url, settings)
        )

    return Engines(plain, in_loop)
