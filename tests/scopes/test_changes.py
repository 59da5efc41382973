"""What else a query set does: expressions, orders, values, changes of many rows, plans, frames."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from sqlalchemy import and_, func, or_
from sqlmodel import col
from tests.scopes.league import ADA, Hero, Power, Team

from tilth import Tilth
from tilth.errors import Conflict, Invalid, QueryError
from tilth.kernel.store.objects.query_set import QuerySet

pytestmark = pytest.mark.anyio

Counted = Callable[[], AbstractContextManager[list[str]]]
Rows = QuerySet[Hero]


ASKED: list[tuple[Callable[[Rows], Rows], list[int]]] = [
    (lambda rows: rows.filter(or_(Hero.age > 40, Hero.name == "Hero 1")), [1, 5]),
    (lambda rows: rows.filter(Hero.age > 10, Hero.age < 30), [2]),
    (lambda rows: rows.filter(and_(col(Hero.age) > 10, col(Hero.name).like("%2"))), [2]),
    (lambda rows: rows.filter(~Hero.name.in_(["Hero 1", "Hero 2"])), [3, 4, 5, 6]),
    (lambda rows: rows.filter(func.length(Hero.name) == 6, age__gte=40), [4, 5]),
    (lambda rows: rows.filter(Hero.team.has(Team.name == "Team 2")), [4, 5, 6]),
    (lambda rows: rows.exclude(Hero.age > 20), [1, 2, 6]),
    (lambda rows: rows.exclude(Hero.age > 20, name="Hero 6"), [1, 2, 3, 4, 5, 6]),
    (lambda rows: rows.exclude(), [1, 2, 3, 4, 5, 6]),
    (lambda rows: rows.filter(age=None), [6]),
    (lambda rows: rows.filter(age__ne=None), [1, 2, 3, 4, 5]),
    (lambda rows: rows.filter(team__name="Team 1", mentor__isnull=False), [2, 3]),
    (lambda rows: rows.filter(powers__name__icontains="flight", age__in=[10, 20]), [1, 2]),
    (lambda rows: rows.order_by("-age"), [6, 5, 4, 3, 2, 1]),
    (lambda rows: rows.order_by("age"), [1, 2, 3, 4, 5, 6]),
    (lambda rows: rows.order_by("-team__name", "-id"), [6, 5, 4, 3, 2, 1]),
    (lambda rows: rows.order_by("mentor__age"), [2, 3, 4, 5, 6, 1]),
    (lambda rows: rows.order_by(Hero.age.desc().nulls_last()), [5, 4, 3, 2, 1, 6]),
    (lambda rows: rows.order_by(func.abs(Hero.age - 30)), [3, 2, 4, 1, 5, 6]),
    (lambda rows: rows.filter(age__gte=10)[1:][:2], [2, 3]),
]


@pytest.mark.parametrize(("ask", "keys"), ASKED)
async def test_rows_of(league: Tilth, ask: Callable[[Rows], Rows], keys: list[int]) -> None:
    with league.scope(ADA) as scope:
        assert [each.id for each in ask(scope.objects(Hero))] == keys


async def test_a_mapped_object_stands_for_its_key(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        one, two = scope.objects(Team).order_by("id")
        heroes = scope.objects(Hero).order_by("id")

        assert [each.id for each in heroes.filter(team=one)] == [1, 2, 3]
        assert [each.id for each in heroes.exclude(team=one)] == [4, 5, 6]
        assert [each.id for each in heroes.filter(team__in=[one, two])] == [1, 2, 3, 4, 5, 6]
        with pytest.raises(QueryError, match="has no key yet"):
            heroes.filter(team=Team(name="New"))


async def test_the_last_is_the_first_the_other_way_round(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        for order in ((), ("name",), ("-age", "name"), (Hero.age,), (Hero.age.asc(),)):
            rows = scope.objects(Hero).order_by(*order)
            assert rows.all().last() is list(rows)[-1]
        for column in (Hero.age.asc().nulls_first(), Hero.age.desc().nulls_last(), Hero.age.desc()):
            rows = scope.objects(Hero).order_by(column, "team__name")
            assert rows.all().last() is list(rows)[-1]


WRONG: list[tuple[Callable[[Rows], Any], str]] = [
    (lambda rows: rows.filter(agee=1), "Did you mean 'age'"),
    (lambda rows: rows.filter(age__gt="x"), "age"),
    (lambda rows: rows.filter(age=True), "bool"),
    (lambda rows: rows.filter(age__in=3), "several values in a list"),
    (lambda rows: rows.filter(name__gte=3), "text"),
    (lambda rows: rows.order_by("agee"), "Did you mean 'age'"),
    (lambda rows: rows.values("agee"), "Did you mean 'age'"),
    (lambda rows: rows[:2].filter(age=1), "filter first"),
    (lambda rows: rows[:2].order_by("age"), "order first"),
    (lambda rows: rows[::2], "steps of one"),
    (lambda rows: rows[-1], r"last\(\)"),
    (lambda rows: rows[:2].aggregate(n=func.count()), "slice"),
    (lambda rows: rows.aggregate(), "Name what to compute"),
    (lambda rows: rows.filter(age=1).create(name="x"), r"scope\.objects\(Hero\)\.create"),
    (lambda rows: rows.upsert(on=["age"], name="x", age=1), "unique"),
    (lambda rows: rows.create(name=object()), "object cannot be stored"),
    (lambda rows: rows[99], "no row 99"),
]


@pytest.mark.parametrize(("use", "told"), WRONG)
async def test_what_cannot_be_is_told(league: Tilth, use: Callable[[Rows], Any], told: str) -> None:
    with league.scope(ADA) as scope, pytest.raises((QueryError, IndexError), match=told):
        use(scope.objects(Hero))


async def test_values_of_fields_and_of_what_they_lead_to(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Hero).order_by("-id")[:2]

        assert rows.values("name", "team__name", "mentor__age") == [
            {"name": "Hero 6", "team__name": "Team 2", "mentor__age": 50},
            {"name": "Hero 5", "team__name": "Team 2", "mentor__age": 40},
        ]


async def test_numbers_of_a_whole_set(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Hero).filter(team__name="Team 2")

        assert rows.aggregate(
            oldest=func.max(Hero.age), known=func.count(Hero.age), all=func.count()
        ) == {"oldest": 50, "known": 2, "all": 3}


async def test_an_update_is_seen_in_objects_that_were_read_before(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        hero = scope.objects(Hero).select_related("team").get(id=1)
        other = scope.objects(Team).get(id=2)
        assert hero.team is not other

        assert scope.objects(Hero).filter(id=1).update(age=11, team=other) == 1

        assert (hero.age, hero.team_id) == (11, 2)
        assert hero.team is other


async def test_two_changes_of_one_object_are_one_update(league: Tilth, counted: Counted) -> None:
    with league.scope(ADA) as scope:
        hero = scope.objects(Hero).get(id=1)
        hero.age, hero.name = 11, "Renamed"
        with counted() as asked:
            scope.session.flush()

    assert len([each for each in asked if each.startswith("UPDATE")]) == 1


async def test_rows_are_created_with_what_they_lead_to(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        team = scope.objects(Team).get(id=1)
        flight = scope.objects(Power).get(name="Flight")
        hero = scope.objects(Hero).create(name="New", team=team, powers=[flight])

        assert hero.team is team
        assert hero.powers == [flight]
        made = scope.objects(Team).create(name="Third", heroes=[{"name": "A"}, {"name": "B"}])
        assert sorted(each.name for each in made.heroes) == ["A", "B"]


async def test_many_rows_take_few_statements_and_all_or_none(
    league: Tilth, counted: Counted
) -> None:
    with league.scope(ADA) as scope:
        with counted() as asked:
            made = scope.objects(Hero).bulk_create({"name": f"New {each}"} for each in range(400))
        assert [each.name for each in made[:2]] == ["New 0", "New 1"]
        # SQLAlchemy inserts row by row on SQLite.
        assert len([each for each in asked if not each.startswith("INSERT")]) < 10
        with pytest.raises(Invalid) as raised:
            scope.objects(Hero).bulk_create([{"name": "A"}, {"age": "x"}, {"name": None}])
        assert {each.pointer for each in raised.value.faults} == {"/1/name", "/1/age", "/2/name"}
        with pytest.raises(Conflict):
            scope.objects(Hero).bulk_create([{"name": "B"}, {"name": "New 3"}])
        assert not scope.objects(Hero).filter(name__in=["A", "B"]).exists()


async def test_upsert_makes_a_row_or_changes_the_one_there_is(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Hero)
        there = rows.get(id=1)

        assert rows.upsert(on=["name"], name="Hero 1", age=99) is there
        assert there.age == 99
        assert rows.upsert(on=["name"], name="New", age=1).id not in range(1, 7)
        assert rows.count() == 7


async def test_an_order_and_a_slice_say_which_rows_are_changed(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        assert scope.objects(Hero).order_by("-id")[:2].update(age=1) == 2
        assert sorted(scope.objects(Hero).filter(age=1).values("id"), key=str) == [
            {"id": 5},
            {"id": 6},
        ]
        assert scope.objects(Hero).order_by("-id")[:2].delete() == 2
        assert scope.objects(Hero).count() == 4


async def test_a_plan_is_that_of_the_database(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        rows = scope.objects(Hero).filter(name="Hero 1")
        text = rows.explain()

        if scope.session.get_bind().dialect.name == "sqlite":
            assert "SEARCH hero USING INDEX" in text
            with pytest.raises(QueryError, match="leave analyze out"):
                rows.explain(analyze=True)
        else:
            assert "Scan" in text
            assert "actual time" in rows.explain(analyze=True)


async def test_rows_can_be_locked(league: Tilth, counted: Counted) -> None:
    with league.scope(ADA) as scope, counted() as asked:
        [hero] = scope.objects(Hero).filter(id=1).for_update(skip_locked=True)
        assert hero.id == 1
        is_postgresql = scope.session.get_bind().dialect.name == "postgresql"

    assert ("FOR UPDATE OF hero SKIP LOCKED" in asked[0]) is is_postgresql


async def test_a_frame_needs_pandas(league: Tilth) -> None:
    if importlib.util.find_spec("pandas"):
        pytest.skip("pandas is installed; the next test is about that")
    with league.scope(ADA) as scope, pytest.raises(QueryError, match="pip install pandas"):
        scope.objects(Hero).to_dataframe("id")


async def test_a_frame_has_a_column_for_each_field(league: Tilth) -> None:
    pytest.importorskip("pandas", reason="to_dataframe() needs pandas, which is not installed")
    with league.scope(ADA) as scope:
        frame = scope.objects(Hero).order_by("id").to_dataframe("id", "team__name")
        empty = scope.objects(Hero).filter(id=0).to_dataframe()

    assert frame.columns.tolist() == ["id", "team__name"]
    assert frame["id"].tolist() == [1, 2, 3, 4, 5, 6]
    assert "phone" not in empty.columns.tolist()
