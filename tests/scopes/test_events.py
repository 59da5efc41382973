"""Every change of an exposed model is told of once, with the unit it belongs to, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import ForeignKey, String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.scopes.conftest import running
from tests.scopes.league import ADA, Hero, Power, Team, fill, open_league, rows

from tilth import Event, Policy, Tilth, public
from tilth.errors import Conflict
from tilth.kernel.store.objects.scopes import AsyncScope
from tilth.kernel.store.outbox import EVENTS
from tilth.kernel.store.sync import sync_engine

pytestmark = pytest.mark.anyio

BY_SESSION = "through scope.session"


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Tilth]:
    fill(database_url, rows())
    app = open_league(database_url)
    async with running(app):
        yield app


async def told(app: Tilth) -> list[tuple[str, list[str], str | None]]:
    """Type, key and reason of every event, in order."""
    columns = (EVENTS.c.type, EVENTS.c.key, EVENTS.c.reason)
    async with app.scope(ADA, writes=False) as scope:
        found = await scope.session.execute(select(*columns).order_by(EVENTS.c.id))
        return [(each.type, each.key, each.reason) for each in found]


async def added(scope: AsyncScope) -> None:
    scope.session.add(Team(id=9, name="New"))


async def changed_twice(scope: AsyncScope) -> None:
    team = await scope.session.get_one(Team, 1)
    team.name = "One"
    await scope.session.flush()
    team.budget = 7


async def not_really_changed(scope: AsyncScope) -> None:
    team = await scope.session.get_one(Team, 1)
    team.name = "Other"
    team.name = "Team 1"


async def deleted(scope: AsyncScope) -> None:
    """Of its three heroes one is another's mentor, in another team."""
    team = await scope.session.get_one(Team, 1)
    (await scope.session.get_one(Hero, 4)).mentor_id = None
    await scope.session.delete(team)


async def linked(scope: AsyncScope) -> None:
    [hero] = await scope.objects(Hero).filter(id=1).prefetch("powers")
    [flight, _] = sorted(hero.powers, key=lambda each: each.id)
    hero.powers.remove(flight)
    scope.session.add(Power(id=3, name="Ice", heroes=[hero]))


async def taken_back(scope: AsyncScope) -> None:
    savepoint = await scope.session.begin_nested()
    scope.session.add(Team(id=9, name="Never"))
    await scope.objects(Team).filter(id=1).update(name="Never")
    await savepoint.rollback()
    scope.session.add(Team(id=10, name="Kept"))


async def refused_halfway(scope: AsyncScope) -> None:
    with pytest.raises(Conflict):
        await scope.objects(Hero).bulk_create([{"name": "New"}, {"name": "Hero 1"}])
    await scope.objects(Team).filter(id=1).update(name="Kept")


async def committed_early(scope: AsyncScope) -> None:
    scope.session.add(Team(id=9, name="New"))
    await scope.session.commit()
    await scope.objects(Team).filter(id=9).update(name="Newer")


async def unrestricted(scope: AsyncScope) -> None:
    with scope.unrestricted("nightly billing"):
        await scope.objects(Team).filter(id=1).update(budget=0)
        scope.session.add(Team(id=9, name="New"))
        await scope.session.flush()
    await scope.objects(Team).filter(id=2).update(budget=0)


@pytest.mark.parametrize(
    ("change", "events"),
    [
        (added, [("team.created", ["9"], BY_SESSION)]),
        (changed_twice, [("team.updated", ["1"], BY_SESSION)] * 2),
        (not_really_changed, []),
        (
            deleted,
            [
                ("hero.updated", ["4"], BY_SESSION),
                *(("hero.deleted", [str(each)], BY_SESSION) for each in (1, 2, 3)),
                ("team.deleted", ["1"], BY_SESSION),
            ],
        ),
        (
            linked,
            [
                ("power.created", ["3"], BY_SESSION),
                ("power.linked", ["3"], BY_SESSION),
                ("hero.unlinked", ["1"], BY_SESSION),
            ],
        ),
        (taken_back, [("team.created", ["10"], BY_SESSION)]),
        (refused_halfway, [("team.updated", ["1"], None)]),
        (
            committed_early,
            [("team.created", ["9"], BY_SESSION), ("team.updated", ["9"], None)],
        ),
        (
            unrestricted,
            [
                ("team.updated", ["1"], "nightly billing"),
                ("team.created", ["9"], "nightly billing"),
                ("team.updated", ["2"], None),
            ],
        ),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
async def test_events_of(
    app: Tilth, change: Callable[[AsyncScope], Awaitable[None]], events: list[Any]
) -> None:
    async with app.scope(ADA) as scope:
        await change(scope)

    assert sorted(await told(app)) == sorted(events)


async def test_an_event_tells_what_was_stored_before_and_after(database_url: str) -> None:
    fill(database_url, rows())
    app = open_league(database_url)
    heard: asyncio.Queue[Event] = asyncio.Queue()

    @app.on("team.*")
    async def hear(event: Event) -> None:
        await heard.put(event)

    async with running(app):
        async with app.scope(ADA) as scope:
            (await scope.session.get_one(Team, 1)).budget = 7
        event = await asyncio.wait_for(heard.get(), 10)

    assert (event.type, event.actor, event.reason) == ("team.updated", "ada", BY_SESSION)
    assert event.before == {"id": 1, "name": "Team 1", "budget": 100}
    assert event.after == {"id": 1, "name": "Team 1", "budget": 7}


async def test_a_scope_without_await_is_heard_too(database_url: str) -> None:
    fill(database_url, rows())
    app = open_league(database_url)
    heard: asyncio.Queue[Event] = asyncio.Queue()

    @app.on("team.updated")
    async def hear(event: Event) -> None:
        await heard.put(event)

    def work() -> None:
        with app.scope(ADA) as scope:
            scope.session.get_one(Team, 1).name = "Renamed"
            scope.objects(Team).filter(id=2).update(name="Renamed too")

    async with running(app):
        await asyncio.to_thread(work)
        names = {(await asyncio.wait_for(heard.get(), 10)).key for _ in range(2)}

    assert names == {("1",), ("2",)}


class Coins(DeclarativeBase):
    pass


class Coin(Coins):
    __tablename__ = "coin"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(3), unique=True)


class Purse(Coins):
    __tablename__ = "purse"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(ForeignKey("coin.code", onupdate="CASCADE"))


async def test_rows_that_the_database_changes_along_are_told(database_url: str) -> None:
    engine = sync_engine(database_url)
    Coins.metadata.create_all(engine)
    engine.dispose()
    fill(database_url, [])
    app = Tilth(database_url)
    for model in (Coin, Purse):
        app.expose(model, Policy(read=public, write=public))

    async with running(app):
        async with app.scope(ADA) as scope:
            scope.session.add_all([Coin(id=1, code="DEM"), Coin(id=2, code="FRF")])
            await scope.session.flush()
            scope.session.add(Purse(id=1, code="DEM"))
        async with app.scope(ADA) as scope:
            (await scope.session.get_one(Coin, 1)).code = "EUR"
        async with app.scope(ADA) as scope:
            await scope.objects(Coin).filter(code="EUR").update(code="XEU")

        assert await told(app) == [
            *(("coin.created", [key], BY_SESSION) for key in "12"),
            ("purse.created", ["1"], BY_SESSION),
            ("purse.updated", ["1"], BY_SESSION),
            ("coin.updated", ["1"], BY_SESSION),
            ("coin.updated", ["1"], None),
            ("purse.updated", ["1"], None),
        ]


async def test_an_application_that_serves_no_changes_keeps_no_events(database_url: str) -> None:
    """Its database may have no table for them."""
    fill(database_url, rows())
    app = Tilth(database_url)
    app.expose(Team, Policy(read=public))
    app.expose(Hero, Policy(read=public))

    async with running(app):
        async with app.scope(ADA) as scope:
            (await scope.session.get_one(Team, 1)).budget = 7
            with scope.unrestricted("a script"):
                await scope.objects(Team).filter(id=2).update(budget=8)

        assert await told(app) == []


async def test_a_rolled_back_scope_tells_of_nothing(app: Tilth) -> None:
    with pytest.raises(ZeroDivisionError):
        async with app.scope(ADA) as scope:
            await scope.objects(Team).update(budget=0)
            raise ZeroDivisionError
    async with app.scope(ADA) as scope:
        await scope.objects(Team).update(budget=0)
        await scope.session.rollback()

    assert await told(app) == []
