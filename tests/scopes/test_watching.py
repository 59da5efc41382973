"""Statements that repeat themselves are found, in tests and in development, with place and remedy."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import insert, select
from tests.scopes.conftest import client_of
from tests.scopes.league import ADA, Hero, Team, fill, open_league, rows

from tilth import Scope, SyncScope, Tilth
from tilth.kernel.store.objects.scopes import PlainScope
from tilth.settings import Settings
from tilth.testing import assert_no_n_plus_one, max_queries

pytestmark = pytest.mark.anyio

HERE = "tests/scopes/test_watching.py:"


def by_getting_each(scope: PlainScope) -> None:
    for key in range(1, 4):
        scope.objects(Hero).get(id=key)


def by_touching_each(scope: PlainScope) -> None:
    for hero in scope.session.scalars(select(Hero)).all():
        assert hero.powers


def with_peers(scope: PlainScope) -> None:
    assert all(hero.powers for hero in scope.objects(Hero))


def with_a_prefetch(scope: PlainScope) -> None:
    assert all(hero.powers for hero in scope.objects(Hero).prefetch("powers"))


def in_parts(scope: PlainScope) -> None:
    assert all(hero.powers for hero in scope.objects(Hero).prefetch("powers").iterator(1))


def a_change_of_many(scope: PlainScope) -> None:
    scope.objects(Hero).bulk_create({"name": f"New {each}"} for each in range(900))
    scope.objects(Hero).update(age=3)


async def test_at_most_so_many_statements_are_run(league: Tilth) -> None:
    with league.scope(ADA) as scope:
        with max_queries(3) as watch:
            by_getting_each(scope)
        with pytest.raises(AssertionError) as raised, max_queries(2):
            by_getting_each(scope)

    line = by_getting_each.__code__.co_firstlineno + 2
    assert [each.place for each in watch.asked] == [f"{HERE}{line}"] * 3
    said = str(raised.value).splitlines()
    assert said[0] == "3 statements were run, at most 2 were expected:"
    assert said[1].startswith(f"  1. {HERE}{line}: SELECT ")


async def test_statements_with_await_have_places_too(league: Tilth) -> None:
    async with league.scope(ADA) as scope:
        with max_queries(2) as watch:
            await scope.objects(Hero).get(id=1)
            await scope.session.scalars(select(Hero))

    assert [(each.place or "").startswith(HERE) for each in watch.asked] == [True, True]


async def test_what_the_api_reads_counts_when_its_application_is_named(league: Tilth) -> None:
    transport = httpx.ASGITransport(app=league)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with max_queries(1, league) as watch:
            await client.get("/api/heroes?expand=team,powers")
        await client.get("/api/heroes")

    assert len(watch.asked) == 1


@pytest.mark.parametrize(
    ("use", "remedy"),
    [(by_getting_each, "filter(id__in=[…])"), (by_touching_each, '.prefetch("powers")')],
)
async def test_a_statement_for_each_row_is_found(
    league: Tilth, use: Callable[[PlainScope], None], remedy: str
) -> None:
    with (
        league.scope(ADA) as scope,
        pytest.raises(AssertionError) as raised,
        assert_no_n_plus_one(),
    ):
        use(scope)

    assert HERE in str(raised.value)
    assert remedy in str(raised.value)


@pytest.mark.parametrize("use", [with_peers, with_a_prefetch, in_parts, a_change_of_many])
async def test_statements_for_many_rows_are_no_n_plus_one(
    league: Tilth, use: Callable[[PlainScope], None]
) -> None:
    with league.scope(ADA) as scope, assert_no_n_plus_one():
        use(scope)


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Of an application in development, as `tilth dev` runs it."""
    fill(database_url, rows())
    app = open_league(database_url)
    app.settings = replace(Settings(), environment="development")

    @app.get("/each")
    async def each(scope: Scope) -> int:
        return sum([(await scope.objects(Hero).get(id=key)).id for key in range(1, 5)])

    @app.get("/twice")
    def twice(scope: SyncScope) -> list[int]:
        return [scope.objects(Hero).count() for _ in range(2)]

    @app.get("/all")
    async def everything(scope: Scope) -> int:
        return len(await scope.objects(Team))

    @app.post("/many")
    async def many(scope: Scope) -> None:
        await scope.session.execute(insert(Team), [{"name": "x"}] * 1100)

    async with client_of(app) as client:
        yield client


SAID = [
    ("/each", "4; n_plus_one=1", ["GET /each: n_plus_one: ", HERE, "4 times", "id__in"]),
    ("/twice", "2; duplicate=1", ["GET /twice: duplicate: ", HERE, "2 times with the same"]),
    ("/all", "1", []),
    ("/api/heroes", "1", []),
]


@pytest.mark.parametrize(("path", "header", "said"), SAID)
async def test_a_request_in_development_tells_what_it_asks(
    client: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    path: str,
    header: str,
    said: list[str],
) -> None:
    with caplog.at_level(logging.WARNING, "tilth.query"):
        answer = await client.get(path)

    assert answer.status_code == 200
    assert answer.headers["x-tilth-queries"] == header
    assert all(part in caplog.text for part in said)
    # Others may have something to say on a busy machine.
    told = [record for record in caplog.records if record.name == "tilth.query"]
    assert bool(told) is bool(said)


async def test_a_change_in_development_tells_what_it_asks_too(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Although it is made in another thread: the row, what it is now, and the event."""
    with caplog.at_level(logging.WARNING, "tilth.query"):
        changed = await client.patch("/api/teams/1", json={"name": "Other"})

    assert changed.status_code == 200, changed.text
    assert changed.headers["x-tilth-queries"] == "4"
    assert "duplicate" not in caplog.text


async def test_a_set_that_grows_without_end_is_told_of(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.post("/many")
    with caplog.at_level(logging.WARNING, "tilth.query"):
        answer = await client.get("/all")

    assert answer.headers["x-tilth-queries"] == "1; unbounded=1"
    assert "1,102 Team objects" in caplog.text
    assert HERE in caplog.text


async def test_in_production_nothing_is_told(league: Tilth) -> None:
    transport = httpx.ASGITransport(app=league)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert "x-tilth-queries" not in (await client.get("/api/heroes")).headers
