"""Many who write at once: nothing is lost, nobody is locked out, and who waits gets their turn."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import anyio.lowlevel
import httpx
import psycopg
import pytest
from sqlalchemy import select, text
from tests.scopes.conftest import client_of, running
from tests.scopes.league import ADA, Hero, Team, fill, open_league, rows

from tilth import Scope, SyncScope, Tilth
from tilth.errors import QueryError, Unavailable
from tilth.settings import Settings, StoreSettings
from tilth.testing import acting

pytestmark = pytest.mark.anyio

THREADS, TIMES = 8, 60
IMPATIENT = Settings(store=replace(StoreSettings(), pool_wait_seconds=0.2))


def one_more(app: Tilth) -> None:
    """Reads and then writes what it has read, as code without an atomic UPDATE does."""
    for _ in range(TIMES):
        with app.scope(ADA) as scope:
            team = scope.session.get(Team, 1, with_for_update=True)
            assert team is not None
            team.budget = (team.budget or 0) + 1


async def test_no_update_of_eight_threads_is_lost_or_locked_out(database_url: str) -> None:
    fill(database_url, [Team(id=1, name="One", budget=0)])
    patient = Settings(store=replace(StoreSettings(), pool_wait_seconds=60))
    app = open_league_with(database_url, patient)
    async with running(app):
        with ThreadPoolExecutor(THREADS) as threads:
            loop = asyncio.get_running_loop()
            tasks = [loop.run_in_executor(threads, one_more, app) for _ in range(THREADS)]
            await asyncio.gather(*tasks)
        async with app.scope(ADA) as scope:
            team = await scope.objects(Team).get(id=1)

    assert team.budget == THREADS * TIMES


def open_league_with(url: str, settings: Settings) -> Tilth:
    app = open_league(url)
    app.settings = settings
    return app


async def test_scopes_of_one_loop_and_writers_of_the_api_take_turns(database_url: str) -> None:
    fill(database_url, rows())
    app = open_league(database_url)

    async def in_a_scope() -> None:
        async with app.scope(ADA) as scope:
            team = await scope.session.get(Team, 1, with_for_update=True)
            assert team is not None
            # Somebody else gets a chance to come in between.
            await asyncio.sleep(0)
            team.budget = (team.budget or 0) + 1

    async def over_http(client: httpx.AsyncClient, number: int) -> None:
        body = {"name": f"Made {number}"}
        answer = await client.post("/api/heroes", json=body, headers=acting(ADA))
        assert answer.status_code == 201, answer.text

    async with client_of(app) as client:
        work = [over_http(client, each) if each % 2 else in_a_scope() for each in range(80)]
        await asyncio.gather(*work)
        async with app.scope(ADA, writes=False) as scope:
            made = await scope.objects(Hero).filter(name__startswith="Made").count()
            team = await scope.objects(Team).get(id=1)

    assert (made, team.budget) == (40, 140)


@pytest.fixture
async def impatient(sqlite_url: str) -> AsyncIterator[Tilth]:
    """SQLite alone has turns; nobody waits longer than a fifth of a second."""
    fill(sqlite_url, rows())
    app = open_league_with(sqlite_url, IMPATIENT)

    @app.post("/hold")
    async def hold(scope: Scope) -> None:
        await scope.objects(Team).update(budget=1)
        app.state.held.set()
        await app.state.go_on.wait()

    @app.post("/write")
    async def write(scope: Scope) -> int:
        return await scope.objects(Team).update(budget=2)

    @app.post("/write-in-a-thread")
    def write_in_a_thread(scope: SyncScope) -> int:
        return scope.objects(Team).update(budget=3)

    app.state.held, app.state.go_on = asyncio.Event(), asyncio.Event()
    async with running(app):
        yield app


@pytest.fixture
async def client(impatient: Tilth) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=impatient)
    headers = acting(ADA)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=headers
    ) as made:
        yield made


@pytest.mark.parametrize("path", ["/write", "/write-in-a-thread", "/api/teams/1"])
async def test_who_waits_too_long_is_told_to_come_again(
    impatient: Tilth, client: httpx.AsyncClient, path: str
) -> None:
    holding = asyncio.create_task(client.post("/hold"))
    await impatient.state.held.wait()

    if path.startswith("/api"):
        refused = await client.patch(path, json={"budget": 3})
    else:
        refused = await client.post(path)
    impatient.state.go_on.set()

    assert (refused.status_code, refused.json()["code"]) == (503, "database_busy")
    assert refused.headers["retry-after"] == "1"
    assert (await holding).status_code == 200
    assert (await client.post("/write")).json() == 2


async def test_who_may_wait_gets_the_turn_that_is_given_back(database_url: str) -> None:
    fill(database_url, rows())
    app = open_league(database_url)
    order: list[str] = []

    async def write(name: str, ready: asyncio.Event) -> None:
        async with app.scope(ADA) as scope:
            await scope.objects(Team).filter(id=1).update(budget=1)
            order.append(name)
            ready.set()
            await asyncio.sleep(0.05)
            order.append(name)

    async with running(app):
        ready = asyncio.Event()
        first = asyncio.create_task(write("first", ready))
        await ready.wait()
        await asyncio.gather(first, write("second", asyncio.Event()))

    assert order == ["first", "first", "second", "second"]


async def test_a_cancelled_task_gives_its_turn_back(
    impatient: Tilth, client: httpx.AsyncClient
) -> None:
    holding = asyncio.create_task(client.post("/hold"))
    await impatient.state.held.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding

    assert (await client.post("/write")).json() == 2
    assert (await client.get("/api/teams/1")).json()["budget"] == 2


async def test_a_cancelled_wait_takes_no_turn(impatient: Tilth, client: httpx.AsyncClient) -> None:
    holding = asyncio.create_task(client.post("/hold"))
    await impatient.state.held.wait()
    waiting = asyncio.create_task(client.post("/write"))
    await anyio.lowlevel.checkpoint()
    waiting.cancel()
    impatient.state.go_on.set()

    assert (await holding).status_code == 200
    assert (await client.post("/write-in-a-thread")).json() == 2


async def test_who_waits_for_themselves_is_told_at_once(sqlite_url: str) -> None:
    fill(sqlite_url, rows())
    app = open_league(sqlite_url)

    async with running(app), app.scope(ADA) as outer:
        await outer.objects(Team).update(budget=1)
        with pytest.raises(QueryError, match="wait for it forever"):
            async with app.scope(ADA) as inner:
                await inner.objects(Team).update(budget=2)
        with pytest.raises(QueryError, match="wait for it forever"), app.scope(ADA) as plain:
            plain.objects(Team).update(budget=2)
        async with app.scope(ADA, writes=False) as reading:
            # It does not see what is not committed.
            assert (await reading.objects(Team).get(id=1)).budget == 100


async def test_one_scope_after_another_is_no_nesting(sqlite_url: str) -> None:
    fill(sqlite_url, rows())
    app = open_league(sqlite_url)

    async with running(app):
        for budget in (1, 2):
            async with app.scope(ADA) as scope:
                await scope.objects(Team).update(budget=budget)
            with app.scope(ADA) as plain:
                assert plain.objects(Team).filter(budget=budget).update(budget=0) == 2


async def test_nested_scopes_are_two_transactions_on_postgresql(postgres_url: str) -> None:
    fill(postgres_url, rows())
    app = open_league(postgres_url)

    async with running(app), app.scope(ADA) as outer, app.scope(ADA) as inner:
        await outer.objects(Team).filter(id=1).update(budget=1)
        await inner.objects(Team).filter(id=2).update(budget=2)
        assert (await inner.objects(Team).get(id=1)).budget == 100


async def test_forty_endpoints_in_threads_do_not_keep_the_turn_from_coming_back(
    sqlite_url: str,
) -> None:
    """All threads for endpoints wait for the turn of one that has ended and wants to commit."""
    fill(sqlite_url, rows())
    app = open_league(sqlite_url)

    @app.post("/add")
    def add(scope: SyncScope) -> None:
        for team in scope.session.scalars(select(Team).with_for_update()):
            team.budget = (team.budget or 0) + 1

    async with client_of(app) as client:
        answers = await asyncio.gather(
            *(client.post("/add", headers=acting(ADA)) for _ in range(120))
        )
        assert {each.status_code for each in answers} == {200}
        assert (await client.get("/api/teams/1")).json()["budget"] == 220


async def test_a_scope_of_another_loop_has_connections_of_its_own(database_url: str) -> None:
    fill(database_url, rows())
    app = open_league(database_url)

    async def in_a_scope() -> int:
        async with running(app), app.scope(ADA) as scope:
            return await scope.objects(Team).update(budget=1)

    def script() -> list[int]:
        return [asyncio.run(in_a_scope()), asyncio.run(in_a_scope())]

    assert await asyncio.to_thread(script) == [2, 2]


async def test_a_turn_that_does_not_come_is_an_error_of_its_own(impatient: Tilth) -> None:
    async def hold(ready: asyncio.Event, go_on: asyncio.Event) -> None:
        async with impatient.scope(ADA) as scope:
            await scope.objects(Team).update(budget=1)
            ready.set()
            await go_on.wait()

    ready, go_on = asyncio.Event(), asyncio.Event()
    holding = asyncio.create_task(hold(ready, go_on))
    await ready.wait()

    with pytest.raises(Unavailable) as raised:
        async with impatient.scope(ADA) as scope:
            await scope.objects(Team).update(budget=2)
    go_on.set()
    await holding

    assert "open no second one" in "".join(raised.value.__notes__)


async def test_a_statement_that_takes_too_long_is_told_with_its_deadline(database_url: str) -> None:
    fill(database_url, rows())
    hasty = Settings(store=replace(StoreSettings(), statement_seconds=0.2))
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )

    async with running(app := open_league_with(database_url, hasty)):
        with pytest.raises(Unavailable, match=r"within 0\.2 seconds"):
            async with app.scope(ADA) as scope:
                await scope.session.execute(text(endless))


async def test_connections_are_closed_when_an_application_fails(database_url: str) -> None:
    """Or a server whose start, or whose end, goes wrong would never stop."""
    fill(database_url, rows())
    app = open_league(database_url)
    before = set(threading.enumerate())

    with pytest.raises(ZeroDivisionError):
        async with running(app):
            async with app.scope(ADA) as scope:
                await scope.objects(Team).update(budget=1)
            await asyncio.to_thread(one_more, app)
            raise ZeroDivisionError

    left = {each.name for each in set(threading.enumerate()) - before}
    assert not {name for name in left if name.startswith("tilth")}
    assert all(
        each.closed for each in gc.get_objects() if isinstance(each, psycopg.AsyncConnection)
    )
