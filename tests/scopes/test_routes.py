"""Where a scope can be opened, and that it ends: with a commit the client is told of, or without a trace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from tests.scopes.conftest import client_of
from tests.scopes.league import ADA, BEN, Hero, Team, fill, open_league, rows

from tilth import Actor, Scope, SetupError, SyncScope, Tilth
from tilth.errors import Conflict, QueryError
from tilth.testing import acting

pytestmark = pytest.mark.anyio


async def newest_team(scope: Scope) -> AsyncIterator[Team]:
    """A dependency that goes on in the same unit after the endpoint."""
    team = await scope.objects(Team).last()
    assert team is not None
    yield team
    team.name = f"{team.name}, looked at"


def first_hero(scope: SyncScope) -> Iterator[Hero]:
    hero = scope.objects(Hero).first()
    assert hero is not None
    yield hero
    hero.name = f"{hero.name}, looked at"


def mistaken(scope: Scope) -> None: ...


def router() -> APIRouter:
    routes = APIRouter()

    @routes.post("/raise")
    async def fail(scope: Scope) -> None:
        await scope.objects(Team).update(budget=0)
        scope.session.add(Team(name="Ghost"))
        raise HTTPException(418, "No tea.")

    @routes.post("/raise-in-a-thread")
    def fail_in_a_thread(scope: SyncScope) -> None:
        scope.objects(Team).update(budget=0)
        scope.session.add(Team(name="Ghost"))
        raise HTTPException(418, "No tea.")

    @routes.post("/fail-at-the-end")
    async def fail_late(scope: Scope) -> str:
        scope.session.add(Hero(name="Hero 1"))
        return "done"

    @routes.post("/fail-at-the-end-in-a-thread")
    def fail_late_in_a_thread(scope: SyncScope) -> str:
        scope.session.add(Hero(name="Hero 1"))
        return "done"

    @routes.post("/look")
    async def look(team: Annotated[Team, Depends(newest_team, scope="function")]) -> str:
        return team.name

    @routes.post("/look-in-a-thread")
    def look_in_a_thread(hero: Annotated[Hero, Depends(first_hero, scope="function")]) -> str:
        return hero.name

    @routes.get("/names")
    async def names(scope: Scope) -> list[str]:
        return [each.name async for each in scope.objects(Team).order_by("id")]

    return routes


@pytest.fixture
async def app(database_url: str) -> Tilth:
    fill(database_url, rows())
    app = open_league(database_url)
    app.include_router(router())
    return app


@pytest.fixture
async def client(app: Tilth) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/raise", "/raise-in-a-thread"])
async def test_an_endpoint_that_raises_leaves_nothing_behind(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path)

    assert (answer.status_code, answer.json()["detail"]) == (418, "No tea.")
    assert (await client.get("/names")).json() == ["Team 1", "Team 2"]
    assert (await client.get("/api/teams/1")).json()["budget"] == 100


@pytest.mark.parametrize("path", ["/fail-at-the-end", "/fail-at-the-end-in-a-thread"])
async def test_a_commit_that_fails_is_what_the_client_is_told(
    client: httpx.AsyncClient, path: str
) -> None:
    answer = await client.post(path)

    assert answer.status_code == 409
    assert "done" not in answer.text


@pytest.mark.parametrize(
    ("path", "address", "name"),
    [("/look", "/api/teams/2", "Team 2"), ("/look-in-a-thread", "/api/heroes/1", "Hero 1")],
)
async def test_a_dependency_and_its_endpoint_share_one_unit(
    client: httpx.AsyncClient, path: str, address: str, name: str
) -> None:
    assert (await client.post(path)).json() == name
    assert (await client.get(address)).json()["name"] == f"{name}, looked at"


async def test_a_mounted_application_has_scopes_too(app: Tilth) -> None:
    inner = FastAPI()
    inner.include_router(router())
    app.mount("/inner", inner)

    async with client_of(app) as client:
        assert (await client.get("/inner/names")).json() == ["Team 1", "Team 2"]


async def test_a_tilth_inside_another_application_has_scopes(app: Tilth) -> None:
    outer = FastAPI()
    outer.mount("/inner", app)

    async with client_of(outer) as client, app.router.lifespan_context(app):
        assert (await client.get("/inner/names")).json() == ["Team 1", "Team 2"]


async def test_an_application_outside_of_tilth_says_what_it_lacks() -> None:
    outside = FastAPI()
    outside.include_router(router())

    async with client_of(outside) as client:
        with pytest.raises(QueryError, match="/names was not reached through a Tilth"):
            await client.get("/names")


async def test_two_requests_at_once_share_nothing(app: Tilth) -> None:
    met = asyncio.Barrier(2)

    @app.get("/session")
    async def session(scope: Scope) -> tuple[int, str | None]:
        await scope.objects(Team).count()
        await met.wait()
        return id(scope.session), scope.actor.id

    async with client_of(app) as client:
        asked = [client.get("/session", headers=acting(each)) for each in (ADA, BEN)]
        (first, ada), (second, ben) = [each.json() for each in await asyncio.gather(*asked)]

    assert first != second
    assert (ada, ben) == ("ada", "ben")


async def test_a_background_task_opens_a_scope_of_its_own(app: Tilth) -> None:
    async def rename(actor: Actor) -> None:
        async with app.scope(actor) as scope:
            await scope.objects(Team).filter(id=1).update(name=f"Of {actor.id}")

    async def too_late(scope: Any) -> None:
        with pytest.raises(QueryError, match="background task"):
            await scope.objects(Team).update(name="never")

    @app.post("/later")
    async def later(scope: Scope, tasks: BackgroundTasks) -> None:
        tasks.add_task(rename, scope.actor)
        tasks.add_task(too_late, scope)

    async with client_of(app) as client:
        assert (await client.post("/later", headers=acting(ADA))).status_code == 200
        assert (await client.get("/names")).json() == ["Of ada", "Team 2"]


async def test_a_streamed_body_opens_a_scope_of_its_own(app: Tilth) -> None:
    @app.get("/stream")
    async def stream(scope: Scope) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            async with app.scope(scope.actor, writes=False) as own:
                async for each in own.objects(Hero).order_by("id").iterator(chunk=2):
                    yield f"{each.name}\n"

        return StreamingResponse(lines())

    async with client_of(app) as client:
        text = (await client.get("/stream")).text

    assert text.split("\n") == [*(f"Hero {each}" for each in range(1, 7)), ""]


def test_a_web_socket_opens_a_scope_for_each_message(database_url: str) -> None:
    fill(database_url, rows())
    app = open_league(database_url)

    @app.websocket("/rename")
    async def rename(websocket: WebSocket) -> None:
        await websocket.accept()
        actor = await app.actor(websocket)
        async for name in websocket.iter_text():
            async with app.scope(actor) as scope:
                await scope.objects(Team).filter(id=1).update(name=name)
            await websocket.send_text(f"{actor.id}: {name}")

    with TestClient(app) as client, client.websocket_connect("/rename", headers=acting(ADA)) as end:
        for name in ("One", "Two"):
            end.send_text(name)
            assert end.receive_text() == f"ada: {name}"
            # It holds nothing between two messages, so others can write.
            assert client.patch("/api/teams/2", json={"name": f"Not {name}"}).status_code == 200
        assert client.get("/api/teams/1").json()["name"] == "Two"


async def test_a_web_socket_cannot_keep_a_scope_open(sqlite_url: str) -> None:
    app = open_league(sqlite_url)

    @app.websocket("/forever")
    async def forever(websocket: WebSocket, scope: Scope) -> None: ...

    with pytest.raises(SetupError) as raised:
        app.freeze()

    [found] = raised.value.findings
    assert (found.code, found.subject.rpartition(".")[2]) == ("scope.websocket", "forever")
    assert "app.scope(await app.actor(websocket))" in found.remedy


async def test_the_wrong_kind_of_scope_in_a_dependency_is_found_at_start(sqlite_url: str) -> None:
    app = open_league(sqlite_url)

    @app.get("/wrong")
    async def endpoint(found: Annotated[None, Depends(mistaken)]) -> None: ...

    with pytest.raises(SetupError) as raised:
        app.freeze()

    [found] = raised.value.findings
    assert (found.code, found.remedy) == (
        "scope.kind",
        "Annotate the parameter with tilth.SyncScope.",
    )
    assert "test_routes.py:" in (found.where or "")


async def test_a_client_that_goes_away_takes_its_changes_along(app: Tilth) -> None:
    """What the server does then is to cancel the task; here it is told to in the middle."""
    begun = asyncio.Event()

    @app.post("/slowly")
    async def slowly(scope: Scope) -> None:
        await scope.objects(Team).filter(id=1).update(name="Half done")
        begun.set()
        await asyncio.sleep(60)

    async with client_of(app) as client:
        asking = asyncio.create_task(client.post("/slowly"))
        await begun.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert (await client.get("/names")).json() == ["Team 1", "Team 2"]
        assert (await client.patch("/api/teams/1", json={"name": "New"})).status_code == 200


async def test_a_scope_in_a_script_commits_at_its_end_or_not_at_all(league: Tilth) -> None:
    with pytest.raises(ZeroDivisionError):
        async with league.scope(ADA) as scope:
            await scope.objects(Team).update(name="Never")
            raise ZeroDivisionError
    with pytest.raises(Conflict), league.scope(ADA) as plain:
        plain.session.add_all([Hero(name="Same"), Hero(name="Same")])
    async with league.scope(ADA) as scope:
        await scope.objects(Team).filter(id=2).update(name="Once")

    async with league.scope(ADA, writes=False) as scope:
        assert [each.name async for each in scope.objects(Team).order_by("id")] == [
            "Team 1",
            "Once",
        ]
        assert not await scope.objects(Hero).filter(name="Same").exists()


async def test_a_scope_that_only_reads_cannot_write_by_any_way(league: Tilth) -> None:
    async with league.scope(ADA, writes=False) as scope:
        with pytest.raises(QueryError, match="only reads"):
            await scope.objects(Team).update(name="Never")
        scope.session.add(Team(name="Never"))
        with pytest.raises(QueryError, match="only reads"):
            await scope.session.flush()
        scope.session.expunge_all()


async def test_code_that_commits_by_itself_works(league: Tilth) -> None:
    """As in many a tutorial: add, commit, refresh."""
    async with league.scope(ADA) as scope:
        hero = Hero(name="New")
        scope.session.add(hero)
        await scope.session.commit()
        await scope.session.refresh(hero)
        assert hero.id is not None
        await scope.session.rollback()

    async with league.scope(ADA) as scope:
        assert await scope.objects(Hero).filter(name="New").exists()
