"""Databases opened for reading, and one table to read from."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text

from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.engine import open_database
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import StoreSettings

METADATA = MetaData()
HERO = Table("hero", METADATA, Column("id", BigInteger, primary_key=True), Column("name", Text))

OpenDatabase = Callable[..., Database]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that serves in production."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def opened() -> AsyncIterator[OpenDatabase]:
    """`opened(url, read_only=…, statement_seconds=…)`; closed at the end of the test."""
    databases: list[Database] = []

    def open_for_test(url: Any, *, read_only: bool = False, **settings: Any) -> Database:
        chosen = replace(StoreSettings(), **settings)
        databases.append(open_database(url, chosen, read_only=read_only))
        return databases[-1]

    yield open_for_test
    for database in databases:
        await database.close()


@pytest.fixture
def make_heroes() -> Callable[[Any], None]:
    """Makes table hero in the database of a URL: Ann, Bob and Cléo."""

    def make(url: Any) -> None:
        engine = sync_engine(url)
        try:
            create_missing_tables(engine, [METADATA])
            with engine.begin() as connection:
                names = enumerate(["Ann", "Bob", "Cléo"], start=1)
                rows = [{"id": id_, "name": name} for id_, name in names]
                connection.execute(HERO.insert(), rows)
        finally:
            engine.dispose()

    return make


@pytest.fixture
def heroes_url(database_url: str, make_heroes: Callable[[Any], None]) -> str:
    make_heroes(database_url)
    return database_url
