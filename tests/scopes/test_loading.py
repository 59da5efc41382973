"""Relations that were not asked for: loaded for all who lack them, or an error that says what to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from fastapi.exceptions import ResponseValidationError
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, inspect, select
from sqlalchemy.orm import DeclarativeBase, Mapped, defer, mapped_column, relationship, selectinload
from tests.scopes.conftest import client_of, running
from tests.scopes.league import ADA, Hero, Power, Team, fill, open_league, rows

from tilth import Policy, Scope, SyncScope, Tilth, public
from tilth.errors import LazyLoad, QueryError
from tilth.kernel.store.objects.scopes import PlainScope
from tilth.kernel.store.sync import create_missing_tables, sync_engine

pytestmark = pytest.mark.anyio

Counted = Callable[[], AbstractContextManager[list[str]]]


class Base(DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)
    children: Mapped[list[Child]] = relationship(back_populates="parent", order_by="Child.id")


class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"))
    parent: Mapped[Parent] = relationship(back_populates="children")
    children: Mapped[list[Grandchild]] = relationship(order_by="Grandchild.id")


class Grandchild(Base):
    __tablename__ = "grandchild"
    id: Mapped[int] = mapped_column(primary_key=True)
    child_id: Mapped[int] = mapped_column(ForeignKey("child.id"))


PARENTS, EACH = 50, 3


@pytest.fixture
async def family(database_url: str) -> AsyncIterator[Tilth]:
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata])
    with engine.begin() as connection:
        connection.execute(Parent.__table__.insert(), [{"id": each} for each in range(PARENTS)])
        children = [{"id": each, "parent_id": each // EACH} for each in range(PARENTS * EACH)]
        connection.execute(Child.__table__.insert(), children)
        below = [{"id": each, "child_id": each // EACH} for each in range(PARENTS * EACH * EACH)]
        connection.execute(Grandchild.__table__.insert(), below)
    engine.dispose()
    app = Tilth(database_url)
    for model in (Parent, Child, Grandchild):
        app.expose(model, Policy(read=public))
    async with running(app):
        yield app


def walk(parents: Any) -> int:
    return sum(len(child.children) for parent in parents for child in parent.children)


@pytest.mark.parametrize(("fetch", "statements"), [("peers", 5), ("one", 201)])
async def test_a_tree_is_loaded_by_level(
    family: Tilth, counted: Counted, fetch: Any, statements: int
) -> None:
    with family.scope(ADA, fetch=fetch) as scope, counted() as asked:
        assert walk(scope.objects(Parent).order_by("id")) == PARENTS * EACH * EACH

    assert len(asked) == statements


async def test_a_tree_that_is_prefetched_takes_a_statement_a_level(
    family: Tilth, counted: Counted
) -> None:
    with family.scope(ADA, fetch="raise") as scope, counted() as asked:
        assert walk(scope.objects(Parent).prefetch("children__children")) == PARENTS * EACH * EACH

    assert len(asked) == 3


async def test_peers_are_those_of_the_same_query_only(family: Tilth, counted: Counted) -> None:
    with family.scope(ADA) as scope:
        first, others = list(scope.objects(Parent)[:2]), list(scope.objects(Parent)[10:20])
        with counted() as asked:
            assert len(first[0].children) == len(first[1].children) == EACH
        assert len(asked) == 2
        assert all("children" not in inspect(each).dict for each in others)


async def test_a_parent_that_is_there_already_is_not_loaded(
    family: Tilth, counted: Counted
) -> None:
    with family.scope(ADA) as scope:
        parents = list(scope.objects(Parent))
        children = list(scope.objects(Child))
        with counted() as asked:
            assert {child.parent.id for child in children} == {each.id for each in parents}

    assert asked == []


async def test_of_many_objects_five_hundred_are_loaded_at_once(
    league: Tilth, counted: Counted
) -> None:
    with league.scope(ADA) as scope:
        scope.session.add_all(Hero(name=f"Extra {each}") for each in range(1100))
        scope.session.flush()
        scope.session.expunge_all()
        heroes = list(scope.objects(Hero).filter(name__startswith="Extra"))
        with counted() as asked:
            assert all(hero.powers == [] for hero in heroes)

    assert len(asked) == 6


async def test_one_alone_has_no_peers(family: Tilth, counted: Counted) -> None:
    with family.scope(ADA) as scope:
        parent = scope.objects(Parent).get(id=1)
        with counted() as asked:
            assert len(parent.children) == EACH

    assert len(asked) == 1


async def test_the_parts_of_an_iterator_are_peers(family: Tilth, counted: Counted) -> None:
    with family.scope(ADA) as scope, counted() as asked:
        assert sum(len(parent.children) for parent in scope.objects(Parent).iterator(25)) == 150

    # The rows are one statement; each of two parts takes two more.
    assert len(asked) == 5


def in_a_scope_that_loads_nothing(scope: PlainScope) -> None:
    _ = scope.objects(Hero).get(id=1).team


async def test_a_scope_can_refuse_to_load_by_itself(league: Tilth) -> None:
    with league.scope(ADA, fetch="raise") as scope, pytest.raises(LazyLoad) as raised:
        in_a_scope_that_loads_nothing(scope)

    text = str(raised.value)
    line = in_a_scope_that_loads_nothing.__code__.co_firstlineno + 1
    assert text.startswith(f"Hero.team was touched at tests/scopes/test_loading.py:{line} ")
    assert 'scope.objects(Hero).select_related("team")' in text


TOUCHED: list[tuple[type, str, str]] = [
    (Hero, "team", '.select_related("team")'),
    (Hero, "powers", '.prefetch("powers")'),
    (Team, "heroes", '.prefetch("heroes")'),
    (Hero, "mentor", '.select_related("mentor")'),
]


@pytest.mark.parametrize(("model", "name", "option"), TOUCHED)
@pytest.mark.parametrize("by", ["query set", "session"])
async def test_touching_a_relation_where_there_is_await_says_what_to_ask_for(
    league: Tilth, model: Any, name: str, option: str, by: str
) -> None:
    async with league.scope(ADA) as scope:
        if by == "session":
            found = await scope.session.get_one(model, 2)
        else:
            found = await scope.objects(model).get(id=2)
        with pytest.raises(LazyLoad) as raised:
            getattr(found, name)

    text = str(raised.value)
    assert text.startswith(f"{model.__name__}.{name} was touched at tests/scopes/test_loading.py:")
    assert f"scope.objects({model.__name__}){option}" in text
    assert f"select({model.__name__}).options(selectinload({model.__name__}.{name}))" in text


async def test_what_the_error_says_helps(league: Tilth) -> None:
    async with league.scope(ADA) as scope:
        by_join = await scope.objects(Hero).select_related("team", "mentor").get(id=2)
        beside = await scope.objects(Hero).prefetch("powers", "team__heroes").get(id=3)
        by_session = await scope.session.scalars(select(Hero).options(selectinload(Hero.team)))

        assert by_join.team is not None
        assert by_join.mentor is not None
        assert (by_join.team.id, by_join.mentor.id) == (1, 1)
        assert beside.team is not None
        assert (len(beside.powers), len(beside.team.heroes)) == (2, 3)
        assert {each.team.id for each in by_session if each.team} == {1, 2}


async def test_an_object_that_was_given_up_says_how_to_read_it_again(league: Tilth) -> None:
    async with league.scope(ADA) as scope:
        team = await scope.objects(Team).get(id=1)
        await scope.session.rollback()
        with pytest.raises(LazyLoad, match=r"test_loading.py:.*rollback.*session\.refresh"):
            _ = team.name

        await scope.session.refresh(team)
        assert team.name == "Team 1"


async def test_a_deferred_column_says_how_to_ask_for_it(league: Tilth) -> None:
    async with league.scope(ADA) as scope:
        team = (await scope.session.scalars(select(Team).options(defer(Team.budget)))).first()
        assert team is not None
        with pytest.raises(LazyLoad, match=r"Team \(budget\).*undefer\(Team\.budget\)"):
            _ = team.budget


class PowerOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str


class HeroOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str
    powers: list[PowerOut]


async def test_an_answer_that_needs_a_relation_names_endpoint_and_option(
    database_url: str,
) -> None:
    fill(database_url, rows())
    app = open_league(database_url)

    @app.get("/lacking", response_model=list[HeroOut])
    async def lacking(scope: Scope) -> Any:
        return await scope.objects(Hero).order_by("id")[:1]

    @app.get("/asked", response_model=list[HeroOut])
    async def asked_for(scope: Scope) -> Any:
        return await scope.objects(Hero).order_by("id").prefetch("powers")[:1]

    @app.get("/in-a-thread", response_model=list[HeroOut])
    def in_a_thread(scope: SyncScope) -> Any:
        return scope.objects(Hero).order_by("id")[:1]

    async with client_of(app) as client:
        with pytest.raises(ResponseValidationError) as raised:
            await client.get("/lacking")
        answers = [(await client.get(path)).json() for path in ("/asked", "/in-a-thread")]

    text = str(raised.value)
    assert "Hero.powers was touched while the answer of" in text
    assert "lacking (tests/scopes/test_loading.py:" in text
    assert 'scope.objects(Hero).prefetch("powers")' in text
    powers = [{"name": "Flight"}, {"name": "Secret"}]
    assert answers == [[{"name": "Hero 1", "powers": powers}]] * 2


async def test_what_leads_nowhere_needs_no_statement(league: Tilth, counted: Counted) -> None:
    with league.scope(ADA) as scope:
        heroes = scope.objects(Hero).filter(mentor__isnull=True)
        list(heroes)
        with counted() as asked:
            assert [each.mentor for each in heroes] == [None]

    assert asked == []


async def test_a_path_that_is_no_relation_is_told_when_it_is_asked_for(league: Tilth) -> None:
    async with league.scope(ADA) as scope:
        heroes = scope.objects(Hero)
        with pytest.raises(QueryError, match=r"no relation 'teem'.*mentor, powers, team"):
            heroes.prefetch("teem")
        with pytest.raises(QueryError, match=r"prefetch\('powers'\)"):
            heroes.select_related("powers")
        assert len(await scope.objects(Power).prefetch("heroes__team")) == 2
