"""When a query set asks the database, and when it does not: code without await."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import func, insert
from sqlalchemy.orm import joinedload
from tests.scopes.league import ADA, HEROES, Hero, Team

from tilth import Tilth
from tilth.errors import QueryError
from tilth.kernel.store.objects.query_set import QuerySet
from tilth.kernel.store.objects.reading import MANY_ROWS

pytestmark = pytest.mark.anyio

Counted = Callable[[], AbstractContextManager[list[str]]]
Rows = QuerySet[Hero]
NAMES = [f"Hero {each}" for each in range(1, HEROES + 1)]


def twice(rows: Rows) -> None:
    assert [each.name for each in rows] == [each.name for each in rows] == NAMES


def asked_and_looped(rows: Rows) -> None:
    if rows:
        assert [each.name for each in rows] == NAMES


def in_pieces(rows: Rows) -> None:
    assert len(list(rows)) == len(rows) == HEROES
    assert rows[0] in rows
    assert [each.name for each in rows[2:][1:3]] == NAMES[3:5]
    assert (rows[-1].name, rows[1].name) == (NAMES[-1], NAMES[1])
    assert (rows.count(), rows.exists(), rows.first(), rows.last()) == (
        HEROES,
        True,
        rows[0],
        rows[-1],
    )


def sliced_twice(rows: Rows) -> None:
    assert [each.name for each in rows[1:5][1:3]] == NAMES[2:4]


def indexed_twice(rows: Rows) -> None:
    assert (rows[2].name, rows[2].name) == (NAMES[2], NAMES[2])


def stepped(rows: Rows) -> None:
    assert len(list(rows.filter(age__gte=10).exclude(name="Hero 2").order_by("-age")[:3])) == 3


def printed(rows: Rows) -> None:
    assert "Hero object" in repr(rows)
    assert len(rows) == HEROES


def broken_off(rows: Rows) -> None:
    with pytest.raises(ZeroDivisionError):
        for _ in rows:
            raise ZeroDivisionError
    assert len(rows) == HEROES


def pickled(rows: Rows) -> None:
    assert [each.name for each in pickle.loads(pickle.dumps(rows))] == NAMES
    assert len(rows) == HEROES


def copied(rows: Rows) -> None:
    for each in (copy.copy(rows), copy.deepcopy(rows), rows.all()):
        assert isinstance(each, QuerySet)
        assert len(each) == HEROES


def counted_only(rows: Rows) -> None:
    assert (rows.count(), rows.exists(), rows.filter(name="nobody").exists()) == (6, True, False)
    assert rows.aggregate(oldest=func.max(Hero.age)) == {"oldest": 50}


def ones(rows: Rows) -> None:
    first, last = rows.first(), rows.last()
    assert first is not None
    assert last is not None
    assert (first.name, last.name, rows.get(name="Hero 3").id) == (NAMES[0], NAMES[-1], 3)


def asked_of_what_was_counted(rows: Rows) -> None:
    rows.count()
    rows.exists()
    rows.first()
    rows.get(id=1)
    assert len(rows) == HEROES


def past_the_cache(rows: Rows) -> None:
    assert [each.name for each in rows.iterator(chunk=2)] == NAMES
    assert [each.name for each in rows.iterator(chunk=100)] == NAMES
    assert len(rows) == HEROES


def also_with_await(rows: Rows) -> None:
    async def names() -> list[str]:
        return [each.name async for each in rows]

    with asyncio.Runner() as runner:
        assert runner.run(names()) == NAMES
    assert len(rows) == HEROES


@pytest.mark.parametrize(
    ("use", "statements"),
    [
        (twice, 1),
        (asked_and_looped, 1),
        (in_pieces, 1),
        (sliced_twice, 1),
        (indexed_twice, 2),
        (stepped, 1),
        (printed, 2),
        (broken_off, 1),
        (pickled, 1),
        (copied, 3),
        (counted_only, 4),
        (ones, 3),
        (asked_of_what_was_counted, 5),
        (past_the_cache, 3),
        (also_with_await, 1),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
async def test_statements_of(
    league: Tilth, counted: Counted, use: Callable[[Rows], None], statements: int
) -> None:
    def work() -> int:
        with league.scope(ADA) as scope, counted() as asked:
            use(scope.objects(Hero))
            return len(asked)

    assert await asyncio.to_thread(work) == statements


async def test_making_a_query_set_asks_nothing(league: Tilth, counted: Counted) -> None:
    with counted() as asked, league.scope(ADA) as scope:
        rows = scope.objects(Hero).filter(Hero.age > 1, team__name="Team 1").exclude(id=2)
        rows = rows.order_by("-age").select_related("team").prefetch("powers").for_update()
        rows.load(joinedload(Hero.mentor)).all()[3:][:2]

        assert asked == []


async def test_every_step_and_every_slice_reads_anew(league: Tilth, counted: Counted) -> None:
    with league.scope(ADA) as scope, counted() as asked:
        rows = scope.objects(Hero).order_by("id")
        list(rows)
        list(rows.filter(age__gte=0))
        list(rows.order_by("id"))
        list(rows[:2])

        # A slice of what was read is cut from it.
        assert len(asked) == 3


def roll_back(scope: Any) -> None:
    scope.session.rollback()


def roll_back_a_savepoint(scope: Any) -> None:
    scope.session.begin_nested().rollback()


def expire_all(scope: Any) -> None:
    scope.session.expire_all()


def expire_one(scope: Any) -> None:
    scope.session.expire(scope.session.get(Hero, 1))


def close(scope: Any) -> None:
    scope.session.close()


@pytest.mark.parametrize("upset", [roll_back, roll_back_a_savepoint, expire_all, expire_one, close])
async def test_what_was_read_before_it_is_read_again_after(
    league: Tilth, counted: Counted, upset: Callable[[Any], None]
) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Team).order_by("id")
        list(rows)
        upset(scope)

        with counted() as asked:
            assert [each.name for each in rows] == ["Team 1", "Team 2"]

        assert len(asked) == 1


def updated(rows: Rows) -> None:
    rows.update(age=7)


def deleted(rows: Rows) -> None:
    rows.filter(mentor_id=5).delete()
    rows.delete()


def created(rows: Rows) -> None:
    rows.create(name="New")


def many_created(rows: Rows) -> None:
    rows.bulk_create([{"name": "New"}])


def upserted(rows: Rows) -> None:
    rows.upsert(on=["name"], name="Hero 1", age=1)


@pytest.mark.parametrize("write", [updated, created, many_created, upserted])
async def test_writing_through_a_set_empties_it(
    league: Tilth, counted: Counted, write: Callable[[Rows], None]
) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Hero).all()
        before = len(rows)
        write(rows)

        with counted() as asked:
            assert len(rows) in (before, before + 1)

        assert len(asked) == 1


async def test_what_was_committed_stays_as_it_was_read(league: Tilth, counted: Counted) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Hero).filter(age__gte=50)
        [hero] = rows
        hero.age = 1
        scope.session.commit()

        with counted() as asked:
            assert [each.age for each in rows] == [1]
            assert asked == []
            assert list(rows.all()) == []


async def test_a_closed_scope_reads_no_more(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Hero).all()
        list(rows)

    with pytest.raises(QueryError, match=r"closed.*app\.scope\(scope\.actor\)"):
        list(rows)
    assert repr(rows) == "<objects of Hero, whose scope is closed>"


async def test_a_collection_that_is_joined_cannot_be_read_in_parts(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Team).load(joinedload(Team.heroes))

        assert [len(each.heroes) for each in rows.order_by("id")] == [3, 3]
        with pytest.raises(QueryError, match="prefetch"):
            list(rows.iterator())


NO_CONDITIONS: list[Any] = [True, False, None, "name", 3]


@pytest.mark.parametrize("given", NO_CONDITIONS, ids=repr)
async def test_what_is_no_condition_is_refused(league: Tilth, given: Any) -> None:
    """Or a slip would choose no row, or all of them."""
    with league.scope(ADA) as scope:
        for choose in (scope.objects(Hero).filter, scope.objects(Hero).exclude):
            with pytest.raises(QueryError, match="is no condition"):
                choose(given)


async def test_parts_of_no_rows_and_values_of_no_fields_are_refused(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        for chunk in (0, -1):
            with pytest.raises(QueryError, match="one row at a time"):
                list(scope.objects(Hero).iterator(chunk))
        with pytest.raises(QueryError, match="Name the fields"):
            scope.objects(Hero).values()


async def test_many_rows_at_once_are_warned_of(
    league: Tilth, caplog: pytest.LogCaptureFixture
) -> None:
    named = [{"name": f"Power {each}"} for each in range(MANY_ROWS + 1)]
    with league.scope(ADA) as scope, caplog.at_level(logging.WARNING, "tilth.query"):
        scope.session.execute(insert(Hero), named)
        list(scope.objects(Hero).filter(name__startswith="Power")[:MANY_ROWS])
        assert caplog.messages == []
        for _ in scope.objects(Hero).iterator():
            pass
        assert caplog.messages == []
        list(scope.objects(Hero))

    [said] = caplog.messages
    assert "test_contract_sync.py:" in said
    assert "10,007 Hero objects" in said
    assert "iterator()" in said


async def test_a_repr_shows_twenty_rows_and_reads_one_more(league: Tilth, counted: Counted) -> None:
    with league.scope(ADA) as scope:
        scope.session.execute(insert(Team), [{"name": f"More {each}"} for each in range(30)])
        with counted() as asked:
            shown = repr(scope.objects(Team).all())

    assert shown.count("Team object") == 20
    assert "…" in shown
    assert "LIMIT" in asked[0]
