"""What a read promises, whichever database answers it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, MetaData, Select, Table, Text, bindparam, select

from tilth.errors import BadRequest, Unavailable
from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.engine import open_database
from tilth.settings import StoreSettings

pytestmark = pytest.mark.anyio

HERO = Table("hero", MetaData(), Column("id", BigInteger), Column("name", Text))
BY_ID = select(HERO.c.id, HERO.c.name).where(HERO.c.id == bindparam("wanted", type_=BigInteger()))
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT count(*) FROM generate_series(1, 1000000000000)",
}


async def fetch(database: Database, statement: Select[Any], **values: Any) -> list[Any]:
    compiled = statement.compile(dialect=database.dialect)
    names = getattr(compiled, "positiontup", None) or []
    return await database.fetch(str(compiled), [values[name] for name in names])


async def fetch_endless(database: Database) -> None:
    await database.fetch(ENDLESS[database.dialect.name], [])


async def test_fetch_answers_tuples_for_bound_values(heroes_url: str, opened: Any) -> None:
    rows = await fetch(opened(heroes_url), BY_ID, wanted=3)

    assert rows == [(3, "Cléo")]


async def test_fifty_reads_at_once_share_two_connections(heroes_url: str, opened: Any) -> None:
    database = opened(heroes_url, sqlite_readers=2, pool_size=2)

    answers = await asyncio.gather(*(fetch(database, BY_ID, wanted=n % 4) for n in range(50)))

    assert [len(rows) for rows in answers] == [min(n % 4, 1) for n in range(50)]


async def test_slow_read_is_cut_and_its_connection_reads_on(heroes_url: str, opened: Any) -> None:
    database = opened(heroes_url, statement_seconds=0.2, sqlite_readers=1, pool_size=1)

    with pytest.raises(Unavailable) as caught:
        await fetch_endless(database)

    assert (caught.value.code, caught.value.detail, dict(caught.value.headers)) == (
        "query_timeout",
        "The database did not finish reading within 0.2 seconds.",
        {"Retry-After": "1"},
    )
    assert await fetch(database, BY_ID, wanted=1) == [(1, "Ann")]


async def test_cancelled_read_frees_its_connection(heroes_url: str, opened: Any) -> None:
    database = opened(heroes_url, statement_seconds=30, sqlite_readers=1, pool_size=1)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fetch_endless(database), 0.1)

    assert await fetch(database, BY_ID, wanted=1) == [(1, "Ann")]


async def test_wait_for_a_connection_is_bounded(heroes_url: str, opened: Any) -> None:
    database = opened(
        heroes_url, statement_seconds=1, pool_wait_seconds=0.1, sqlite_readers=1, pool_size=1
    )

    slow, waiting = await asyncio.gather(
        fetch_endless(database), fetch_endless(database), return_exceptions=True
    )

    assert isinstance(slow, Unavailable)
    assert isinstance(waiting, Unavailable)
    assert (slow.code, waiting.code) == ("query_timeout", "database_busy")
    assert waiting.detail == "No database connection became free within 0.1 seconds."


async def test_writing_is_refused(heroes_url: str, opened: Any) -> None:
    database = opened(heroes_url)

    with pytest.raises(Exception, match=r"read-?only"):
        await database.fetch("INSERT INTO hero (id, name) VALUES (9, 'Zed')", [])

    assert await fetch(database, BY_ID, wanted=9) == []


@pytest.mark.parametrize(
    ("sql", "detail"),
    [
        (
            'SELECT id FROM "vil lain"',
            'Table "vil lain" does not exist in the database; `tilth create-tables` creates it.',
        ),
        (
            "SELECT h.name, h.age FROM hero AS h",
            'Column "age" does not exist in the database, although the models name it.',
        ),
    ],
)
async def test_missing_name_is_told_in_a_note_only(
    sql: str, detail: str, heroes_url: str, opened: Any
) -> None:
    with pytest.raises(Unavailable) as caught:
        await opened(heroes_url).fetch(sql, [])

    assert (caught.value.code, caught.value.detail) == (
        "database_schema",
        "The tables of the database do not fit the models.",
    )
    assert detail in caught.value.__notes__[0]


async def test_value_too_large_for_its_column_is_a_bad_request(
    heroes_url: str, opened: Any
) -> None:
    with pytest.raises(BadRequest) as caught:
        await fetch(opened(heroes_url), BY_ID, wanted=2**70)

    assert caught.value.code == "value_out_of_range"


async def test_text_that_is_not_unicode_is_a_bad_request(heroes_url: str, opened: Any) -> None:
    by_name = select(HERO.c.id).where(HERO.c.name == bindparam("wanted", type_=Text()))

    with pytest.raises(BadRequest):
        await fetch(opened(heroes_url), by_name, wanted="\ud800")


def test_one_database_serves_one_event_loop_after_another(heroes_url: str) -> None:
    database = open_database(heroes_url, StoreSettings())

    async def read() -> list[Any]:
        try:
            return await fetch(database, BY_ID, wanted=2)
        finally:
            await database.close()

    assert [asyncio.run(read()), asyncio.run(read())] == [[(2, "Bob")], [(2, "Bob")]]


async def test_ping_answers_when_the_database_does(heroes_url: str, opened: Any) -> None:
    await opened(heroes_url).ping()
