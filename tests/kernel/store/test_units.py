"""Units of work: kept whole or not at all, and tried again when another came first."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

from tilth.errors import Conflict, ProblemError, Unavailable
from tilth.kernel.store.engine import database_url as parsed
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.kernel.store.unit import Units
from tilth.kernel.store.writing import open_units
from tilth.settings import StoreSettings

METADATA = MetaData()
COUNTER = Table(
    "counter",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("value", Integer, nullable=False),
    Column("next_id", ForeignKey("counter.id", deferrable=True, initially="DEFERRED")),
)

OpenUnits = Callable[..., Units]

pytestmark = pytest.mark.anyio

SECONDS = 10
"""Longest wait for something that another thread is sure to do."""


@pytest.fixture
async def opened(database_url: str) -> AsyncIterator[OpenUnits]:
    """`opened(setting=…)`: units on a database with the counters 1 and 2, both at 0."""
    engine = sync_engine(database_url)
    create_missing_tables(engine, [METADATA])
    with engine.begin() as connection:
        connection.execute(insert(COUNTER), [{"id": 1, "value": 0}, {"id": 2, "value": 0}])
    engine.dispose()
    made: list[Units] = []

    def open_for_test(**settings: Any) -> Units:
        url = parsed(database_url)
        made.append(open_units(url, "label", replace(StoreSettings(), **settings)))
        return made[-1]

    yield open_for_test
    for units in made:
        await units.close()


def value(session: Session, key: int = 1) -> int:
    return session.scalars(select(COUNTER.c.value).where(COUNTER.c.id == key)).one()


def add_one(session: Session, key: int = 1) -> int:
    row = select(COUNTER.c.value).where(COUNTER.c.id == key).with_for_update()
    found = session.scalars(row).one()
    session.execute(update(COUNTER).where(COUNTER.c.id == key).values(value=found + 1))
    return found + 1


def start_at_zero(session: Session) -> None:
    session.execute(insert(COUNTER).values(id=1, value=0))


async def test_what_a_unit_has_done_is_kept(opened: OpenUnits) -> None:
    units = opened()

    assert await units.run(add_one) == 1
    assert await units.run(value) == 1


async def test_rehearsal_answers_and_is_not_kept(opened: OpenUnits) -> None:
    units = opened()

    assert await units.run(add_one, keep=False) == 1
    assert await units.run(value) == 0


async def test_nothing_is_kept_of_a_unit_that_fails(opened: OpenUnits) -> None:
    units = opened()

    def fail(session: Session) -> None:
        add_one(session)
        raise LookupError("by design")

    with pytest.raises(LookupError, match="by design"):
        await units.run(fail)
    assert await units.run(value) == 0


async def test_nothing_is_kept_when_whoever_asked_has_gone(opened: OpenUnits) -> None:
    units = opened()
    begun, gone = Event(), Event()

    def slow(session: Session) -> None:
        add_one(session)
        begun.set()
        gone.wait(SECONDS)

    asked = asyncio.create_task(units.run(slow))
    await asyncio.to_thread(begun.wait, SECONDS)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    gone.set()

    assert await units.run(value) == 0


async def test_concurrent_units_lose_no_update(opened: OpenUnits) -> None:
    units = opened(pool_wait_seconds=60.0)

    await asyncio.gather(*(units.run(add_one) for _ in range(100)))

    assert await units.run(value) == 100


async def test_unit_that_waits_too_long_for_its_turn_is_503(opened: OpenUnits) -> None:
    units = opened(pool_size=1, pool_wait_seconds=0.05)
    begun, done = Event(), Event()

    def slow(session: Session) -> None:
        begun.set()
        done.wait(SECONDS)

    first = asyncio.create_task(units.run(slow))
    await asyncio.to_thread(begun.wait, SECONDS)
    with pytest.raises(Unavailable) as refused:
        await units.run(add_one)
    done.set()
    await first

    assert refused.value.code == "database_busy"
    assert await units.run(value) == 0


async def test_rule_that_is_broken_at_the_commit_is_409(opened: OpenUnits) -> None:
    units = opened()

    def dangle(session: Session) -> None:
        session.execute(update(COUNTER).values(next_id=99))

    with pytest.raises(Conflict):
        await units.run(dangle)


async def test_deadlock_is_tried_again_as_a_whole(
    postgres_url: str, request: pytest.FixtureRequest
) -> None:
    """PostgreSQL only: on SQLite units run one after the other."""
    engine = sync_engine(postgres_url)
    create_missing_tables(engine, [METADATA])
    with engine.begin() as connection:
        connection.execute(insert(COUNTER), [{"id": 1, "value": 0}, {"id": 2, "value": 0}])
    engine.dispose()
    units = open_units(parsed(postgres_url), "label", StoreSettings())
    both_hold_one = Barrier(2)
    tries: list[tuple[int, int]] = []

    def crossing(first: int, second: int) -> Callable[[Session], None]:
        def work(session: Session) -> None:
            is_first_try = (first, second) not in tries
            tries.append((first, second))
            session.execute(text("SET LOCAL deadlock_timeout = '50ms'"))
            add_one(session, first)
            if is_first_try:
                both_hold_one.wait(SECONDS)
            add_one(session, second)

        return work

    await asyncio.gather(units.run(crossing(1, 2)), units.run(crossing(2, 1)))

    assert len(tries) == 3
    assert [await units.run(lambda session, key=key: value(session, key)) for key in (1, 2)] == [
        2,
        2,
    ]
    await units.close()


async def test_lost_connection_is_replaced(postgres_url: str) -> None:
    """PostgreSQL only: SQLite has no server that could go away."""
    engine = sync_engine(postgres_url)
    create_missing_tables(engine, [METADATA])
    units = open_units(parsed(postgres_url), "label", StoreSettings())
    pids = text("SELECT pg_backend_pid()")
    first = await units.run(lambda session: session.scalar(pids))
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": first})
    engine.dispose()

    second = await units.run(lambda session: session.scalar(pids))

    assert second not in (None, first)
    await units.close()


UNUSABLE = {
    "a file that is not there": "sqlite:////nowhere/at/all.db",
    "no server": "postgresql://nobody@127.0.0.1:1/nothing",
}


@pytest.mark.parametrize("case", UNUSABLE)
async def test_database_that_cannot_be_used_is_503(case: str) -> None:
    units = open_units(parsed(UNUSABLE[case]), "label", StoreSettings())

    with pytest.raises(ProblemError) as refused:
        await units.run(add_one)

    assert (refused.value.status, refused.value.code) == (503, "database_unavailable")
    await units.close()


async def test_file_that_was_replaced_is_opened_anew(sqlite_url: str, tmp_path: Any) -> None:
    """SQLite only. What is written to the old file would be lost although it was acknowledged."""
    units = open_units(parsed(sqlite_url), "label", StoreSettings())
    for _ in range(2):
        for path in tmp_path.glob("test.db*"):
            path.unlink()
        engine = sync_engine(sqlite_url)
        create_missing_tables(engine, [METADATA])
        engine.dispose()
        await units.run(start_at_zero)
        assert await units.run(value) == 0
    await units.close()


def blocked_until(go: Event) -> Callable[[Session], bool]:
    return lambda session: go.wait(SECONDS)


async def asked_at_once(units: Units, *works: Callable[[Session], Any]) -> list[asyncio.Task[Any]]:
    """All of them wait for their turn, or have had it, when this returns."""
    tasks = [asyncio.create_task(units.run(work)) for work in works]
    await asyncio.wait(tasks, timeout=0)
    return tasks


def break_a_reference(session: Session) -> None:
    """Noticed only by the commit."""
    session.execute(update(COUNTER).where(COUNTER.c.id == 2).values(next_id=99))


def fail(session: Session) -> None:
    add_one(session, 2)
    raise Conflict("no")


def use_a_table_that_is_not_there(session: Session) -> None:
    add_one(session, 2)
    session.execute(text("SELECT * FROM nowhere"))


@pytest.mark.parametrize("bad", [fail, break_a_reference, use_a_table_that_is_not_there])
async def test_unit_that_fails_spoils_none_beside_it(
    opened: OpenUnits, bad: Callable[[Session], Any]
) -> None:
    units, go = opened(pool_size=1), Event()
    tasks = await asked_at_once(
        units, blocked_until(go), *[add_one] * 5, bad, *[add_one] * 5, bad, add_one
    )

    go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    failed = [place for place, each in enumerate(results) if isinstance(each, Exception)]
    assert failed == [6, 12]
    assert [await units.run(value), await units.run(lambda s: value(s, 2))] == [11, 0]


def units_with_a_counter(url: str) -> Units:
    engine = sync_engine(url)
    create_missing_tables(engine, [METADATA])
    with engine.begin() as connection:
        connection.execute(insert(COUNTER).values(id=1, value=0))
    engine.dispose()
    return open_units(parsed(url), "label", StoreSettings())


async def test_units_that_wait_share_a_commit(sqlite_url: str) -> None:
    """SQLite only: PostgreSQL commits those of several connections together by itself."""
    units, go = units_with_a_counter(sqlite_url), Event()
    commits: list[Connection] = []

    def count(connection: Connection) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", count)
    tasks = await asked_at_once(units, blocked_until(go), *[add_one] * 20)

    go.set()
    results = await asyncio.gather(*tasks)

    event.remove(Engine, "commit", count)
    await units.close()
    assert results == [True, *range(1, 21)]
    assert len(commits) <= 2


async def test_who_goes_before_the_shared_commit_leaves_nothing(sqlite_url: str) -> None:
    """SQLite only: PostgreSQL shares no transaction."""
    units = units_with_a_counter(sqlite_url)
    done, more = Event(), Event()
    go = Event()

    def last(session: Session) -> None:
        done.set()
        more.wait(SECONDS)

    first, gone, stays, _ = tasks = await asked_at_once(
        units, blocked_until(go), add_one, add_one, last
    )
    go.set()
    await asyncio.to_thread(done.wait, SECONDS)

    gone.cancel()
    await asyncio.wait([gone])
    more.set()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert (gone.cancelled(), first.result(), stays.result()) == (True, True, 1)
    assert await units.run(value) == 1
    await units.close()
