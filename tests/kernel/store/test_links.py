"""A link is made once, also by two who make it at the same time."""

import asyncio
from threading import Event

import pytest
from sqlalchemy import Column, Integer, MetaData, Table
from sqlalchemy.orm import Session
from tests.waiting import wait_for_a_waiter

from tilth.kernel.schema.resource import LinkTable
from tilth.kernel.store.engine import database_url as parsed
from tilth.kernel.store.links import Pair, link
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.kernel.store.writing import open_units
from tilth.settings import StoreSettings

METADATA = MetaData()
PAIR = Table(
    "pair",
    METADATA,
    Column("left", Integer, primary_key=True),
    Column("right", Integer, primary_key=True),
)
LINKS = LinkTable(PAIR, (PAIR.c.left,), (PAIR.c.right,))

ONE: Pair = ((1,), (1,))
OTHER: Pair = ((1,), (2,))

SECONDS = 10
"""Longest wait for something that another thread is sure to do."""

pytestmark = pytest.mark.anyio


async def test_whoever_comes_second_finds_it_made(postgres_url: str) -> None:
    """PostgreSQL only: on SQLite units run one after the other."""
    engine = sync_engine(postgres_url)
    create_missing_tables(engine, [METADATA])
    engine.dispose()
    units = open_units(parsed(postgres_url), "label", StoreSettings())
    made = Event()

    def first(session: Session) -> list[Pair]:
        is_new = link(session, LINKS, [ONE])
        made.set()
        wait_for_a_waiter(session)
        return is_new

    def second(session: Session) -> list[Pair]:
        made.wait(SECONDS)
        return link(session, LINKS, [ONE, OTHER])

    try:
        assert await asyncio.gather(units.run(first), units.run(second)) == [[ONE], [OTHER]]
    finally:
        await units.close()
