"""In a sandbox everything is as ever, and afterwards nothing has happened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.scopes.conftest import running
from tests.scopes.league import ADA, Hero, Team, fill, open_league, rows

from tilth import Scope, SyncScope, Tilth
from tilth.errors import Conflict, QueryError
from tilth.testing import acting, sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Tilth]:
    fill(database_url, rows())
    app = open_league(database_url)

    @app.post("/rename/{name}")
    async def rename(scope: Scope, name: str) -> list[str]:
        await scope.objects(Team).filter(id=1).update(name=name)
        scope.session.add(Team(name=f"{name} II"))
        await scope.session.flush()
        return [each.name async for each in scope.objects(Team).order_by("id")]

    @app.get("/names")
    def names(scope: SyncScope) -> list[str]:
        return [each.name for each in scope.objects(Team).order_by("id")]

    async with running(app):
        yield app


@pytest.fixture
async def client(app: Tilth) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=acting(ADA)
    ) as client:
        yield client


async def test_requests_scopes_and_reads_see_each_other_and_leave_nothing(
    app: Tilth, client: httpx.AsyncClient
) -> None:
    with sandbox(app):
        made = await client.post("/api/heroes", json={"name": "New", "age": 1})
        key = made.json()["id"]
        with app.scope(ADA) as plain:
            assert plain.objects(Hero).get(id=key).name == "New"
            plain.objects(Hero).filter(id=key).update(age=2)
        async with app.scope(ADA) as scope:
            assert (await scope.objects(Hero).get(id=key)).age == 2
            scope.session.add(Hero(name="Newer"))
        renamed = (await client.post("/rename/One")).json()
        assert renamed == ["One", "Team 2", "One II"]
        assert (await client.get("/names")).json() == renamed
        listed = (await client.get("/api/heroes?name__startswith=New&sort=id")).json()["items"]
        assert [(each["name"], each["age"]) for each in listed] == [("New", 2), ("Newer", None)]

    assert (await client.get("/names")).json() == ["Team 1", "Team 2"]
    assert (await client.get("/api/heroes?name__startswith=New")).json()["items"] == []


async def test_what_fails_inside_takes_nothing_else_along(
    app: Tilth, client: httpx.AsyncClient
) -> None:
    with sandbox(app):
        assert (await client.patch("/api/teams/1", json={"name": "Kept"})).status_code == 200
        with pytest.raises(Conflict):
            async with app.scope(ADA) as scope:
                await scope.objects(Team).update(name="Never")
                await scope.objects(Hero).bulk_create([{"name": "Twin"}, {"name": "Twin"}])
        refused = await client.post("/api/heroes", json={"name": "Hero 1"})
        assert refused.json()["code"] == "unique"
        assert (await client.get(f"/api/heroes?age__gt={2**62}")).json()["items"] == []
        with pytest.raises(ZeroDivisionError), app.scope(ADA) as plain:
            plain.objects(Team).delete()
            raise ZeroDivisionError
        assert (await client.get("/names")).json() == ["Kept", "Team 2"]

    assert (await client.get("/api/teams/1")).json()["name"] == "Team 1"


async def test_code_that_commits_by_itself_is_forgotten_too(
    app: Tilth, client: httpx.AsyncClient
) -> None:
    with sandbox(app):
        async with app.scope(ADA) as scope:
            scope.session.add(Team(name="A"))
            await scope.session.commit()
            scope.session.add(Team(name="B"))
            await scope.session.rollback()
            scope.session.add(Team(name="C"))
        assert (await client.get("/names")).json() == ["Team 1", "Team 2", "A", "C"]

    assert (await client.get("/names")).json() == ["Team 1", "Team 2"]


async def test_one_sandbox_after_another_begins_with_what_is_stored(
    app: Tilth, client: httpx.AsyncClient
) -> None:
    for _ in range(3):
        with sandbox(app):
            assert (await client.get("/names")).json() == ["Team 1", "Team 2"]
            await client.post("/rename/One")


async def test_two_applications_on_one_database_do_not_see_each_others_sandboxes(
    app: Tilth, client: httpx.AsyncClient, database_url: str
) -> None:
    """As tests that run side by side are."""
    other = open_league(database_url)
    async with running(other):
        with sandbox(app), sandbox(other):
            async with app.scope(ADA) as scope:
                await scope.objects(Team).filter(id=1).update(name="Of one")
            async with other.scope(ADA) as scope:
                found = await scope.objects(Team).order_by("id")
                assert [each.name for each in found] == ["Team 1", "Team 2"]
                await scope.objects(Team).filter(id=2).update(name="Of the other")
            assert (await client.get("/names")).json() == ["Of one", "Team 2"]


async def test_many_requests_at_once_take_turns(app: Tilth, client: httpx.AsyncClient) -> None:
    with sandbox(app):
        made = await asyncio.gather(
            *(client.post("/api/teams", json={"name": f"T {each}"}) for each in range(20)),
            *(client.post(f"/rename/R{each}") for each in range(5)),
            *(client.get("/names") for _ in range(5)),
        )
        assert {each.status_code for each in made} == {200, 201}
        assert len((await client.get("/names")).json()) == 27

    assert len((await client.get("/names")).json()) == 2


async def test_a_scope_inside_another_is_told_of(app: Tilth) -> None:
    with sandbox(app):
        async with app.scope(ADA) as outer:
            await outer.objects(Team).update(budget=1)
            with pytest.raises(QueryError, match="in a sandbox"):
                async with app.scope(ADA) as inner:
                    await inner.objects(Team).update(budget=2)
