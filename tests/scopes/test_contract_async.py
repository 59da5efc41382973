"""When a query set asks the database, and when it does not: code with await."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import func, insert
from sqlalchemy.orm import joinedload
from tests.scopes.league import ADA, HEROES, Hero, Team

from tilth import Tilth
from tilth.errors import QueryError
from tilth.kernel.store.objects.async_query_set import AsyncQuerySet

pytestmark = pytest.mark.anyio

Counted = Callable[[], AbstractContextManager[list[str]]]
Rows = AsyncQuerySet[Hero]
NAMES = [f"Hero {each}" for each in range(1, HEROES + 1)]


async def with_and_without_await(rows: Rows) -> None:
    assert [each.name async for each in rows] == NAMES
    assert [each.name for each in rows] == NAMES
    assert await rows == list(rows)


async def asked_and_looped(rows: Rows) -> None:
    if await rows:
        assert [each.name for each in rows] == NAMES


async def in_pieces(rows: Rows) -> None:
    assert len(await rows) == len(rows) == HEROES
    assert rows
    assert rows[0] in rows
    assert [each.name for each in rows[2:][1:3]] == NAMES[3:5]
    assert (rows[-1].name, rows[1].name) == (NAMES[-1], NAMES[1])
    assert (await rows.count(), await rows.exists()) == (HEROES, True)
    assert (await rows.first(), await rows.last()) == (rows[0], rows[-1])
    assert repr(rows).count("Hero object") == HEROES


async def sliced_twice(rows: Rows) -> None:
    assert [each.name async for each in rows[1:5][1:3]] == NAMES[2:4]


async def broken_off(rows: Rows) -> None:
    with pytest.raises(ZeroDivisionError):
        async for _ in rows:
            raise ZeroDivisionError
    assert len(rows) == HEROES


async def read_by_two_tasks(rows: Rows) -> None:
    async def names() -> list[str]:
        return [each.name async for each in rows]

    assert await asyncio.gather(names(), names(), names()) == [NAMES] * 3


async def pickled(rows: Rows) -> None:
    await rows
    assert [each.name for each in pickle.loads(pickle.dumps(rows))] == NAMES


async def copied(rows: Rows) -> None:
    for each in (copy.copy(rows), copy.deepcopy(rows), rows.all()):
        assert isinstance(each, AsyncQuerySet)
        assert len(await each) == HEROES


async def asked_of_what_was_counted(rows: Rows) -> None:
    assert await rows.count() == HEROES
    assert await rows.exists()
    assert await rows.aggregate(oldest=func.max(Hero.age)) == {"oldest": 50}
    for found in (await rows.first(), await rows.get(id=1)):
        assert found is not None
        assert found.name == NAMES[0]
    assert len(await rows) == HEROES


async def past_the_cache(rows: Rows) -> None:
    assert [each.name async for each in rows.iterator(chunk=2)] == NAMES
    assert len(await rows) == HEROES


async def printed_unread(rows: Rows) -> None:
    assert repr(rows) == "<objects of Hero, not read yet>"


@pytest.mark.parametrize(
    ("use", "statements"),
    [
        (with_and_without_await, 1),
        (asked_and_looped, 1),
        (in_pieces, 1),
        (sliced_twice, 1),
        (broken_off, 1),
        (read_by_two_tasks, 1),
        (pickled, 1),
        (copied, 3),
        (asked_of_what_was_counted, 6),
        (past_the_cache, 2),
        (printed_unread, 0),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
async def test_statements_of(
    league: Tilth, counted: Counted, use: Callable[[Rows], Awaitable[None]], statements: int
) -> None:
    async with league.scope(ADA) as scope:
        with counted() as asked:
            await use(scope.objects(Hero))

    assert len(asked) == statements


UNREAD: list[Callable[[Rows], Any]] = [iter, len, bool, lambda rows: rows[0], pickle.dumps]


@pytest.mark.parametrize("use", UNREAD, ids=["iter", "len", "bool", "index", "pickle"])
async def test_a_set_that_was_not_awaited_says_so(
    league: Tilth, counted: Counted, use: Callable[[Rows], Any]
) -> None:
    async with league.scope(ADA) as scope:
        with counted() as asked, pytest.raises(QueryError, match="await the query set"):
            use(scope.objects(Hero).all())

    assert asked == []


async def roll_back(scope: Any) -> None:
    await scope.session.rollback()


async def expire_all(scope: Any) -> None:
    scope.session.expire_all()


async def close(scope: Any) -> None:
    await scope.session.close()


@pytest.mark.parametrize("upset", [roll_back, expire_all, close])
async def test_what_was_read_before_it_is_read_again_after(
    league: Tilth, counted: Counted, upset: Callable[[Any], Awaitable[None]]
) -> None:
    async with league.scope(ADA) as scope:
        rows = scope.objects(Team).order_by("id")
        await rows
        await upset(scope)

        with pytest.raises(QueryError, match="not read yet"):
            list(rows)
        with counted() as asked:
            assert [each.name async for each in rows] == ["Team 1", "Team 2"]

    assert len(asked) == 1


async def test_writing_through_a_set_empties_it(league: Tilth, counted: Counted) -> None:
    async with league.scope(ADA) as scope:
        rows = scope.objects(Hero).filter(age__gte=50)
        assert [each.name async for each in rows] == ["Hero 5"]
        await rows.update(age=7)

        with counted() as asked:
            assert await rows == []

    assert len(asked) == 1


async def test_a_closed_scope_reads_no_more(league: Tilth) -> None:
    async with league.scope(ADA) as scope:
        rows = scope.objects(Hero).all()
        await rows

    with pytest.raises(QueryError, match="closed"):
        list(rows)
    with pytest.raises(QueryError, match="closed"):
        await rows.count()
    assert repr(rows) == "<objects of Hero, whose scope is closed>"


async def test_a_collection_that_is_joined_cannot_be_read_in_parts(league: Tilth) -> None:
    async with league.scope(ADA) as scope:
        rows = scope.objects(Team).order_by("id").load(joinedload(Team.heroes))

        assert [len(each.heroes) async for each in rows] == [3, 3]
        with pytest.raises(QueryError, match="prefetch"):
            async for _ in rows.iterator():
                pass


async def test_a_part_is_read_when_the_one_before_is_used_up(league: Tilth) -> None:
    """So that what is in memory does not grow with the rows."""
    async with league.scope(ADA) as scope:
        await scope.session.execute(insert(Hero), [{"name": f"X {each}"} for each in range(500)])
        held = 0
        async for _ in scope.objects(Hero).iterator(chunk=50):
            held = max(held, len(scope.session.identity_map))

    assert held <= 110
