"""A client that goes away, or waits too long, before the commit: what it asked for is not done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from sqlalchemy import event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.types import Message

from tilth import Policy, Tilth, public
from tilth.settings import Settings, WebSettings

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


@dataclass(frozen=True, slots=True)
class Gate:
    """Where the row "held" stands, between two statements of its unit, until it is let through."""

    reached: Event = field(default_factory=Event)
    opened: Event = field(default_factory=Event)
    inserted: list[str] = field(default_factory=list)

    def hold(self, mapper: object, connection: object, note: Note) -> None:
        if note.text == "held":
            self.reached.set()
            assert self.opened.wait(PATIENCE_SECONDS)

    def count(self, mapper: object, connection: object, note: Note) -> None:
        self.inserted.append(note.text)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    listeners = [("before_insert", gate.hold), ("after_insert", gate.count)]
    for name, listener in listeners:
        event.listen(Note, name, listener)
    yield gate
    gate.opened.set()
    for name, listener in listeners:
        event.remove(Note, name, listener)


def notes(url: str, **web: Any) -> Tilth:
    app = Tilth(url, settings=Settings(web=WebSettings(**web)))
    app.expose(Note, Policy(read=public, write=public))
    return app


@pytest.fixture
def url(database_url: str, fill: Callable[..., None]) -> str:
    fill(database_url, Base.metadata)
    return database_url


async def asked_and_left(app: Tilth, body: Any, gate: Gate) -> list[Message]:
    """What is sent to a client that goes away while its unit is under way."""
    arriving = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]
    sent: list[Message] = []

    async def receive() -> Message:
        if arriving:
            return arriving.pop()
        assert await asyncio.to_thread(gate.reached.wait, PATIENCE_SECONDS)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"test"), (b"content-type", b"application/json")]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/notes",
        "raw_path": b"/api/notes",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "state": {},
    }
    async with asyncio.timeout(PATIENCE_SECONDS):
        await app(scope, receive, send)
    return sent


async def texts(client: AsyncClient) -> list[str]:
    return [row["text"] for row in (await client.get("/api/notes?sort=id")).json()["items"]]


@pytest.mark.parametrize("body", [{"text": "held"}, [{"text": "a"}, {"text": "held"}]])
async def test_nothing_is_kept_for_a_client_that_has_gone(url: str, gate: Gate, body: Any) -> None:
    app = notes(url)
    transport = ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        sent = await asked_and_left(app, body, gate)
        gate.opened.set()
        # Behind it on SQLite, which has one writer.
        after = await client.post("/api/notes", json={"text": "after"})

        assert after.status_code == 201
        assert sent == []
        assert await texts(client) == ["after"]
        # Not a statement more was run for it.
        assert gate.inserted == ["after"]


async def test_nothing_is_kept_of_what_took_too_long(url: str, gate: Gate) -> None:
    app = notes(url, request_seconds=0.2)
    transport = ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        late = await client.post("/api/notes", json={"text": "held"})
        gate.opened.set()

        assert (late.status_code, late.json()["code"]) == (503, "deadline_exceeded")
    assert gate.inserted == []
