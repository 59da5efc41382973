"""`Prefer: respond-async`: accepted now, made later, exactly once, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import String, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Actor, Policy, Tilth, assured, permission, public, role, signed_in
from tilth.kernel.store.accepted import ACCEPTED
from tilth.kernel.store.sync import sync_engine
from tilth.testing import acting, actor_reader

pytestmark = pytest.mark.anyio

ADA, BEN = Actor("ada"), Actor("ben")
LATER = {"prefer": "respond-async"}
PATIENCE_SECONDS = 20


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(20), unique=True)


def notes(url: str, policy: Policy | None = None) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    app.expose(Note, policy or Policy(read=public, write=signed_in))
    return app


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def url(database_url: str, fill: Callable[..., None]) -> str:
    fill(database_url, Base.metadata, [Note(text="first")])
    return database_url


@asynccontextmanager
async def client_of(app: Tilth, *, by: Actor | None = ADA) -> AsyncIterator[httpx.AsyncClient]:
    headers = acting(by) if by else {}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://test", headers=headers
        ) as client,
    ):
        yield client


async def done(client: httpx.AsyncClient, accepted: httpx.Response) -> dict[str, Any]:
    assert accepted.status_code == 202, accepted.text
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            told: dict[str, Any] = (await client.get(accepted.headers["location"])).json()
            if told["status"] == "done":
                return told


async def texts(client: httpx.AsyncClient) -> list[str]:
    return [row["text"] for row in (await client.get("/api/notes?sort=text")).json()["items"]]


BATCH = {"operations": [{"method": "DELETE", "path": "/api/notes/1"}]}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "left"),
    [
        ("POST", "/api/notes", {"text": "new"}, 201, ["first", "new"]),
        ("PATCH", "/api/notes/1", {"text": "other"}, 200, ["other"]),
        ("DELETE", "/api/notes/1", None, 204, []),
        ("POST", "/api/notes", [{"text": "a"}, {"text": "b"}], 201, ["a", "b", "first"]),
        ("POST", "/api/notes", {"text": "first"}, 409, ["first"]),
        ("POST", "/api/batch", BATCH, 200, []),
    ],
)
async def test_what_is_accepted_is_made_and_its_answer_kept(
    url: str, method: str, path: str, body: Any, status: int, left: list[str]
) -> None:
    async with client_of(notes(url)) as client:
        sent = {} if body is None else {"json": body}
        accepted = await client.request(method, path, headers=LATER, **sent)
        told = await done(client, accepted)

        assert accepted.headers["preference-applied"] == "respond-async"
        assert told["response"]["status"] == status
        assert await texts(client) == left


async def test_what_can_be_told_at_once_is(url: str) -> None:
    async with client_of(notes(url)) as client:
        unknown = await client.post("/api/notes", json={"txet": "x"}, headers=LATER)
        rehearsed = await client.post(
            "/api/notes", json={"text": "x"}, headers={"prefer": "respond-async, dry-run"}
        )
        waited = await client.post(
            "/api/notes", json={"text": "x"}, headers={"prefer": "respond-async, wait=10"}
        )

    assert (unknown.status_code, rehearsed.status_code, waited.status_code) == (422, 200, 201)
    assert waited.json()["text"] == "x"


async def test_nobody_else_may_ask_for_the_answer(url: str) -> None:
    async with client_of(notes(url)) as client:
        accepted = await client.post("/api/notes", json={"text": "x"}, headers=LATER)
        await done(client, accepted)
        where = accepted.headers["location"]
        others = [
            (await client.get(where, headers=acting(BEN))).status_code,
            (await client.get("/api/work/7")).status_code,
            (await client.delete(where)).status_code,
        ]

    assert others == [404, 404, 405]


async def test_who_is_nobody_in_particular_is_answered_at_once(url: str) -> None:
    app = notes(url, Policy(read=public, write=public))

    async with client_of(app, by=None) as client:
        answer = await client.post("/api/notes", json={"text": "x"}, headers=LATER)

    assert (answer.status_code, "preference-applied" in answer.headers) == (201, False)


async def test_a_key_that_is_repeated_is_the_same_work(url: str) -> None:
    headers = {**LATER, "idempotency-key": '"once"'}

    async with client_of(notes(url)) as client:
        first, again = [
            await client.post("/api/notes", json={"text": "x"}, headers=headers) for _ in range(2)
        ]
        await done(client, first)

        assert first.headers["location"] == again.headers["location"]
        assert await texts(client) == ["first", "x"]


def left_by_a_process_that_died(url: str, actor: Actor) -> None:
    """As it is when the process dies between the commit of the acceptance and the work."""
    engine = sync_engine(url)
    with engine.begin() as connection:
        row = connection.execute(select(ACCEPTED)).one()
        long_ago = row.accepted_at.replace(year=row.accepted_at.year - 1)
        request = {**row.request, "actor": {**row.request["actor"], "id": actor.id}}
        fresh = {"finished_at": None, "answer": None, "accepted_at": long_ago, "request": request}
        connection.execute(ACCEPTED.update().values(fresh))
    engine.dispose()


async def test_what_a_dead_process_has_left_is_done_by_the_next_once(url: str) -> None:
    async with client_of(notes(url)) as client:
        accepted = await client.post("/api/notes", json={"text": "x"}, headers=LATER)
        await done(client, accepted)
        await client.delete("/api/notes/2")
    left_by_a_process_that_died(url, ADA)

    async with client_of(notes(url)) as client, client_of(notes(url)) as other:
        told = await done(other, accepted)

        assert told["response"]["status"] == 201
        assert await texts(client) == ["first", "x"]


async def test_the_policies_of_then_decide(url: str) -> None:
    async with client_of(notes(url)) as client:
        accepted = await client.post("/api/notes", json={"text": "x"}, headers=LATER)
        await done(client, accepted)
    left_by_a_process_that_died(url, ADA)

    async with client_of(notes(url, Policy(read=public, write=role("editor")))) as client:
        told = await done(client, accepted)

    assert told["response"]["status"] == 403
    assert told["response"]["body"]["code"] == "forbidden"


STRONG = Actor(
    "ada",
    roles=frozenset({"editor"}),
    permissions=frozenset({"notes.write"}),
    scopes=frozenset({"notes"}),
    assurance=2,
    authenticated_at=datetime.now(UTC),
)


@pytest.mark.parametrize(
    "rule", [permission("notes.write"), assured(2), assured(2, 3600), role("editor")]
)
async def test_work_is_done_with_every_right_it_was_accepted_with(url: str, rule: Any) -> None:
    async with client_of(notes(url, Policy(read=public, write=rule)), by=STRONG) as client:
        told = await done(
            client, await client.post("/api/notes", json={"text": "x"}, headers=LATER)
        )

    assert told["response"]["status"] == 201


WEAKER = {
    "role": replace(STRONG, roles=frozenset()),
    "permission": replace(STRONG, permissions=frozenset()),
    "scope": replace(STRONG, scopes=frozenset({"heroes"})),
    "factor": replace(STRONG, assurance=1),
}


@pytest.mark.parametrize("less", WEAKER)
async def test_a_weaker_credential_is_not_told_what_a_stronger_one_was(url: str, less: str) -> None:
    async with client_of(notes(url), by=STRONG) as client:
        accepted = await client.post("/api/notes", json={"text": "x"}, headers=LATER)
        await done(client, accepted)
        where = accepted.headers["location"]
        weaker = await client.get(where, headers=acting(WEAKER[less]))
        stronger = await client.get(where, headers=acting(replace(STRONG, scopes=None)))

    assert (weaker.status_code, stronger.status_code) == (404, 200)
