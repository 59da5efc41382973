"""Ways out of a policy, each of them tried: rows, columns, relations, classes that inherit, changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import ForeignKey, func, inspect, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.scopes.conftest import running
from tests.scopes.league import ADA, BEN, Hero, Power, Team

from tilth import Actor, Policy, Tilth, Upkeep, public, role, signed_in
from tilth.errors import Conflict, Forbidden, NotFound, QueryError, SeveralRows
from tilth.kernel.store.objects.scopes import PlainScope
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine

pytestmark = pytest.mark.anyio


async def test_each_sees_their_own_rows_and_what_those_lead_to(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope:
        heroes = list(scope.objects(Hero).order_by("id"))

        assert [each.id for each in heroes] == [1, 3, 5]
        # Of each, the mentor is ben's.
        assert [each.mentor for each in heroes] == [None, None, None]
        assert [each.id for each in heroes[0].team.heroes] == [1, 3]  # type: ignore[union-attr]
        assert {power.name for each in heroes for power in each.powers} == {"Flight"}
        assert sorted(each.id for each in heroes[0].powers[0].heroes) == [1, 3, 5]


async def test_nobody_sees_nothing_and_numbers_tell_as_little(secretive: Tilth) -> None:
    with secretive.scope(Actor(None)) as scope:
        heroes = scope.objects(Hero).all()

        assert list(heroes) == []
        assert (heroes.count(), heroes.exists(), heroes.first()) == (0, False, None)
        assert heroes.aggregate(n=func.count(), oldest=func.max(Hero.age)) == {
            "n": 0,
            "oldest": None,
        }
        assert heroes.values("id") == []
        assert list(heroes.iterator()) == []
        assert "Hero object" not in repr(heroes)


async def test_a_row_that_is_hidden_and_one_that_is_not_there_are_told_alike(
    secretive: Tilth,
) -> None:
    told = []
    with secretive.scope(ADA) as scope:
        for key in (2, 99):
            with pytest.raises(NotFound) as raised:
                scope.objects(Hero).get(id=key)
            told.append(str(raised.value))
        with pytest.raises(SeveralRows):
            scope.objects(Hero).get(age__gte=1)

    assert told[0] == told[1]


def by_a_filter(scope: PlainScope) -> Any:
    return scope.objects(Hero).filter(phone="+1")


def by_a_path(scope: PlainScope) -> Any:
    return scope.objects(Team).filter(heroes__phone="+1")


def by_leaving_out(scope: PlainScope) -> Any:
    return scope.objects(Hero).exclude(phone__isnull=True)


def by_an_order(scope: PlainScope) -> Any:
    return scope.objects(Hero).order_by("-phone")


def by_the_order_of_a_relation(scope: PlainScope) -> Any:
    return scope.objects(Hero).order_by("mentor__phone")


def by_values(scope: PlainScope) -> Any:
    return scope.objects(Hero).values("id", "phone")


def by_finding_one(scope: PlainScope) -> Any:
    return scope.objects(Hero).get(phone="+1")


@pytest.mark.parametrize(
    "ask",
    [
        by_a_filter,
        by_a_path,
        by_leaving_out,
        by_an_order,
        by_the_order_of_a_relation,
        by_values,
        by_finding_one,
    ],
)
async def test_a_hidden_field_has_no_name(
    secretive: Tilth, ask: Callable[[PlainScope], Any]
) -> None:
    with secretive.scope(ADA) as scope, pytest.raises(QueryError) as raised:
        ask(scope)

    assert "+1" not in str(raised.value)
    assert "Did you mean" not in str(raised.value)


def roll_back(scope: PlainScope, hero: Hero) -> None:
    scope.session.rollback()


def expire(scope: PlainScope, hero: Hero) -> None:
    scope.session.expire(hero)


def refresh(scope: PlainScope, hero: Hero) -> None:
    scope.session.refresh(hero)


def load_peers(scope: PlainScope, hero: Hero) -> None:
    assert hero.powers


def nothing(scope: PlainScope, hero: Hero) -> None: ...


@pytest.mark.parametrize("upset", [nothing, roll_back, expire, refresh, load_peers])
async def test_a_hidden_column_is_not_loaded_whatever_happens_to_the_object(
    secretive: Tilth, upset: Callable[[PlainScope, Hero], None]
) -> None:
    with secretive.scope(ADA) as scope:
        first, _, _ = list(scope.objects(Hero).order_by("id"))
        upset(scope, first)

        assert first.name == "Hero 1"
        for _ in range(2):
            with pytest.raises(QueryError, match="may not read it"):
                _ = first.phone
            assert "phone" not in inspect(first).dict


async def test_a_hidden_column_is_not_loaded_by_a_change_of_the_row(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope:
        hero = scope.objects(Hero).get(id=1)
        assert scope.objects(Hero).filter(id=1).update(age=7) == 1
        again = scope.objects(Hero).upsert(on=["name"], name="Hero 1", age=8)

        assert (hero.age, again) == (8, hero)
        with pytest.raises(QueryError, match="may not read it"):
            _ = hero.phone
        scope.session.refresh(hero, ["phone"])
        assert hero.phone == "+1"


async def test_a_value_hidden_on_some_rows_is_nothing_there(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope:
        teams = scope.objects(Team).order_by("id")

        assert teams.values("id", "budget") == [{"id": 1, "budget": 100}, {"id": 2, "budget": None}]
        assert [each.id for each in teams.filter(budget__gte=0)] == [1]
        assert all("budget" not in inspect(each).dict for each in teams)


async def test_who_may_not_change_a_row_changes_none(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope:
        assert scope.objects(Hero).update(age=1) == 3
        assert scope.objects(Hero).filter(id=2).delete() == 0
        with pytest.raises(Forbidden):
            # It would be ben's then.
            scope.objects(Hero).filter(id__in=[1, 3]).update(owner_id="ben")

    with secretive.scope(BEN) as scope:
        assert sorted(each.id for each in scope.objects(Hero)) == [2, 4, 6]
        assert {each.age for each in scope.objects(Hero)} == {20, 40, None}


async def test_a_new_row_cannot_lead_to_one_that_is_hidden(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope, pytest.raises(Conflict) as raised:
        scope.objects(Hero).create(name="New", owner_id="ada", mentor_id=2)

    assert raised.value.code == "no_such_row"


@pytest.mark.parametrize("by", ["query set", "session"])
async def test_what_goes_along_with_a_row_does_not_depend_on_who_sees_it(
    secretive: Tilth, by: str
) -> None:
    """A team takes its heroes along, also those that whoever deletes it cannot see."""
    with secretive.scope(ADA) as scope:
        team = scope.objects(Team).prefetch("heroes").get(id=1)
        assert [each.id for each in team.heroes] == [1, 3]
        # Nobody in the other team refers to one of them.
        scope.session.get_one(Hero, 4).mentor_id = None
        if by == "session":
            scope.session.delete(team)
        else:
            scope.objects(Team).filter(id=1).delete()

    with secretive.scope(ADA) as scope:
        assert scope.session.scalars(select(Hero.id).order_by(Hero.id)).all() == [4, 5, 6]


async def test_unrestricted_sees_everything_but_what_is_hidden_from_all(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope:
        with scope.unrestricted("a report"):
            heroes = scope.objects(Hero).order_by("id")
            assert [each.id for each in heroes] == [1, 2, 3, 4, 5, 6]
            assert heroes[1].mentor is heroes[0]
            assert "phone" not in inspect(heroes[0]).dict
            with pytest.raises(QueryError):
                heroes.filter(phone="+1")
        assert [each.id for each in scope.objects(Hero).order_by("id")] == [1, 3, 5]
        with pytest.raises(ValueError, match="Say why"), scope.unrestricted(" "):
            pass


async def test_a_set_keeps_the_rights_it_was_made_with(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope:
        mine = scope.objects(Hero).order_by("id")
        with scope.unrestricted("a report"):
            everyone = scope.objects(Hero).order_by("id")
            assert [each.id for each in mine] == [1, 3, 5]
        assert everyone.filter(owner_id="ben").count() == 3


class Base(DeclarativeBase):
    pass


class Firm(Base):
    __tablename__ = "firm"
    id: Mapped[int] = mapped_column(primary_key=True)
    people: Mapped[list[Person]] = relationship(back_populates="firm", order_by="Person.id")


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    firm_id: Mapped[int] = mapped_column(ForeignKey("firm.id"))
    firm: Mapped[Firm] = relationship(back_populates="people")
    deleted_at: Mapped[datetime | None]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012


class Manager(Person):
    """In the same table."""

    bonus: Mapped[int | None] = mapped_column()
    floor: Mapped[int | None] = mapped_column()
    __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012


class Director(Person):
    """In a table of its own."""

    __tablename__ = "director"
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    shares: Mapped[int | None]
    car: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "director"}  # noqa: RUF012


@pytest.fixture
async def firm(database_url: str) -> AsyncIterator[Tilth]:
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata, OWN])
    engine.dispose()
    app = Tilth(database_url)
    upkeep = Upkeep(deleted_at="deleted_at")
    boss = role("boss")
    app.expose(Firm, Policy(read=public, write=public))
    app.expose(Person, Policy(read=signed_in, write=signed_in), upkeep=upkeep)
    app.expose(Manager, Policy(read=signed_in, fields={"bonus": boss}), upkeep=upkeep)
    app.expose(Director, Policy(read=signed_in, fields={"shares": boss}), upkeep=upkeep)
    async with running(app):
        with app.scope(ADA) as scope:
            scope.session.add(Firm(id=1))
            scope.session.add_all(
                [
                    Person(id=1, name="Gone", firm_id=1, deleted_at=datetime.now(UTC)),
                    Person(id=2, name="Pat", firm_id=1),
                    Manager(id=3, name="Max", firm_id=1, bonus=5, floor=2),
                    Director(id=4, name="Dot", firm_id=1, shares=9, car="red"),
                ]
            )
        yield app


HIDDEN = [(Manager, 3, "bonus", "floor"), (Director, 4, "shares", "car")]


@pytest.mark.parametrize(("model", "key", "hidden", "shown"), HIDDEN)
@pytest.mark.parametrize("through", [Person, None])
async def test_a_column_hidden_in_a_class_is_hidden_where_its_rows_are_of_another(
    firm: Tilth, model: Any, key: int, hidden: str, shown: str, through: Any
) -> None:
    with firm.scope(ADA) as scope:
        found = scope.objects(through or model).get(id=key)

        assert isinstance(found, model)
        assert getattr(found, shown) in (2, "red")
        with pytest.raises(QueryError, match="may not read it"):
            getattr(found, hidden)
        scope.session.expire(found)
        assert getattr(found, shown) in (2, "red")
        with pytest.raises(QueryError, match="may not read it"):
            getattr(found, hidden)

    with firm.scope(Actor("eve", roles=frozenset({"boss"}))) as scope:
        assert getattr(scope.objects(Person).get(id=key), hidden) in (5, 9)


@pytest.mark.parametrize("way", ["lazily", "prefetched"])
async def test_through_a_relation_a_hidden_column_and_a_deleted_row_are_not_there(
    firm: Tilth, way: str
) -> None:
    with firm.scope(ADA) as scope:
        firms = scope.objects(Firm)
        [found] = firms.prefetch("people") if way == "prefetched" else firms
        people = found.people

        assert [each.name for each in people] == ["Pat", "Max", "Dot"]
        for person, hidden, shown in ((people[1], "bonus", "floor"), (people[2], "shares", "car")):
            assert getattr(person, shown) in (2, "red")
            assert hidden not in inspect(person).dict
            with pytest.raises(QueryError, match="may not read it"):
                getattr(person, hidden)


async def test_a_row_that_is_marked_as_deleted_is_not_there(firm: Tilth) -> None:
    with firm.scope(ADA) as scope:
        people = scope.objects(Person)
        assert people.filter(name="Pat").delete() == 1
        assert people.order_by("name").values("name") == [{"name": "Dot"}, {"name": "Max"}]
        assert scope.session.get_one(Person, 2).deleted_at is not None

    with firm.scope(Actor(None)) as scope:
        assert scope.objects(Firm).get(id=1).people == []


async def test_a_model_without_a_policy_has_no_objects(secretive: Tilth) -> None:
    with secretive.scope(ADA) as scope, pytest.raises(QueryError, match="Firm is not exposed"):
        scope.objects(Firm)


async def test_a_rule_about_a_relation_holds_for_those_who_come_through_it(
    secretive: Tilth,
) -> None:
    """The rule of a team asks its heroes, and a hero leads to its team."""
    with secretive.scope(BEN) as scope:
        heroes = list(scope.objects(Hero).select_related("team").order_by("id"))
        assert [each.team.id for each in heroes if each.team] == [1, 2, 2]
        with scope.unrestricted("moving them"):
            scope.objects(Hero).filter(owner_id="ben", team_id=2).update(team_id=1)
    with secretive.scope(BEN) as scope:
        assert [each.id for each in scope.objects(Team)] == [1]
        assert sorted(each.id for each in scope.objects(Power).get(id=1).heroes) == [2, 4, 6]
