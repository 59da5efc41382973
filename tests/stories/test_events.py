"""Subscribers are told of what was committed: at least once, whoever fails, hangs or dies."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.stories.crashing import QUICK, Base, Power, application

from tilth import Event, Tilth
from tilth.kernel.store.outbox import DELIVERIES
from tilth.kernel.store.sync import sync_engine

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 30
PATIENT = replace(QUICK, call_seconds=30)


class Inbox:
    """A subscriber that remembers. fails: so many times first."""

    def __init__(self, fails: int = 0) -> None:
        self.events: list[Event] = []
        self.calls = 0
        self._fails = fails
        self._news = asyncio.Event()

    async def __call__(self, event: Event) -> None:
        self.calls += 1
        self._news.set()
        if self.calls <= self._fails:
            raise RuntimeError("not today")
        self.events.append(event)

    @property
    def told(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(event.type, event.key) for event in self.events]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def until_told(self, number: int) -> None:
        await self.until(lambda: len(self.events) >= number)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def url(database_url: str, fill: Callable[..., None]) -> str:
    fill(database_url, Base.metadata, [Power(name="flight")])
    return database_url


@asynccontextmanager
async def running(*apps: Tilth) -> AsyncIterator[httpx.AsyncClient]:
    """All of them on one event loop; the client asks the first."""
    async with AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app=apps[0])
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://test")
        )


@asynccontextmanager
async def closed_at_the_end(app: Tilth) -> AsyncIterator[None]:
    yield
    backend = app.freeze()
    assert backend.units is not None
    await backend.units.close()
    await backend.store.database.close()


async def add(client: httpx.AsyncClient, name: str, **options: Any) -> None:
    answer = await client.post("/api/heroes", json={"name": name}, **options)
    assert answer.status_code in (200, 201, 422), answer.text


def deliveries(url: str) -> list[tuple[str, bool, str | None]]:
    """(subscriber, whether it will be tried again, failure) of what is not delivered."""
    engine = sync_engine(url)
    kept = DELIVERIES.c
    with engine.connect() as connection:
        asked = select(kept.subscriber, kept.due_at.is_not(None), kept.failure)
        rows = [tuple(row) for row in connection.execute(asked.order_by(kept.event_id))]
    engine.dispose()
    return rows


async def test_subscriber_is_told_what_was_changed(url: str) -> None:
    app, inbox = application(url), Inbox()
    app.on("hero.*")(inbox)

    async with running(app) as client:
        await add(client, "Storm")
        await client.patch("/api/heroes/1", json={"name": "Rain"})
        await client.put("/api/heroes/1/powers/1")
        await client.delete("/api/heroes/1/powers/1")
        await client.delete("/api/heroes/1")
        await inbox.until_told(5)

    storm, rain = {"id": 1, "name": "Storm"}, {"id": 1, "name": "Rain"}
    assert [(event.type, event.before, event.after) for event in inbox.events] == [
        ("hero.created", None, storm),
        ("hero.updated", storm, rain),
        ("hero.linked", None, {"powers": ["1"]}),
        ("hero.unlinked", {"powers": ["1"]}, None),
        ("hero.deleted", rain, None),
    ]
    assert deliveries(url) == []


async def test_plain_function_is_told_in_a_thread(url: str) -> None:
    app, told = application(url), threading.Event()
    threads: list[threading.Thread] = []

    @app.on("hero.created")
    def note(event: Event) -> None:
        threads.append(threading.current_thread())
        told.set()

    async with running(app) as client:
        await add(client, "Storm")
        assert await asyncio.to_thread(told.wait, PATIENCE_SECONDS)

    assert threads[0] is not threading.main_thread()


async def test_what_is_not_kept_is_not_told(url: str) -> None:
    app, inbox = application(url), Inbox()
    app.on("hero.created")(inbox)

    async with running(app) as client:
        await add(client, "Rehearsed", headers={"prefer": "dry-run"})
        await add(client, "x" * 99)
        await add(client, "Storm")
        await inbox.until_told(1)

    assert [event.after["name"] for event in inbox.events if event.after] == ["Storm"]


async def test_subscriber_that_fails_is_told_again_and_holds_nobody_up(url: str) -> None:
    app, broken, sound = application(url), Inbox(fails=2), Inbox()
    app.on("hero.created", name="broken")(broken)
    app.on("hero.created", name="sound")(sound)

    async with running(app) as client:
        await add(client, "Storm")
        await add(client, "Rain")
        await sound.until_told(2)
        await broken.until_told(2)

    assert (sorted(broken.told), broken.calls, sound.calls) == (sound.told, 4, 2)


async def test_event_that_fails_too_often_is_kept_and_the_next_is_told(url: str) -> None:
    app, inbox = application(url), Inbox(fails=3)
    app.on("hero.created", name="broken")(inbox)

    async with running(app) as client:
        await add(client, "Storm")
        await inbox.until(lambda: inbox.calls == 3)
        await add(client, "Rain")
        await inbox.until_told(1)

    assert inbox.told == [("hero.created", ("2",))]
    assert deliveries(url) == [("broken", False, "RuntimeError: not today")]


async def test_subscriber_that_hangs_fails_and_holds_nobody_up(url: str) -> None:
    app, inbox = application(url), Inbox()
    app.on("hero.created", name="sound")(inbox)
    given_up, release = asyncio.Event(), threading.Event()

    @app.on("hero.created")
    async def hanging(event: Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    @app.on("hero.created")
    def hanging_thread(event: Event) -> None:
        release.wait(PATIENCE_SECONDS)

    async with running(app) as client:
        await add(client, "Storm")
        await inbox.until_told(1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await given_up.wait()
        release.set()

    assert inbox.told == [("hero.created", ("1",))]


async def test_what_another_process_has_written_is_told(url: str) -> None:
    writer, app, inbox = application(url), application(url), Inbox()
    for each in (writer, app):
        each.on("hero.created", name="mail")(inbox)
    transport = httpx.ASGITransport(app=writer)

    # The writer serves without its lifespan: it has no relay, and its connections stay open.
    async with (
        closed_at_the_end(writer),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        await add(client, "Earlier")
        async with running(app):
            await inbox.until_told(1)
            await add(client, "Later")
            await inbox.until_told(2)

    assert inbox.told == [("hero.created", ("1",)), ("hero.created", ("2",))]


async def test_several_processes_share_the_events(url: str) -> None:
    # On a busy machine a short lease would run out, and what is late is told twice.
    one, other, inbox = application(url, PATIENT), application(url, PATIENT), Inbox()
    for each in (one, other):
        each.on("hero.created", name="mail")(inbox)

    async with running(one, other) as client:
        for number in range(20):
            await add(client, f"hero {number}")
        await inbox.until_told(20)

    assert sorted(int(key) for _, (key,) in inbox.told) == list(range(1, 21))
    assert deliveries(url) == []


async def test_who_subscribes_later_is_told_from_then_on(url: str) -> None:
    async with running(application(url)) as client:
        await add(client, "Earlier")
    app, inbox = application(url), Inbox()
    app.on("hero.created")(inbox)

    async with running(app) as client:
        await add(client, "Later")
        await inbox.until_told(1)

    assert inbox.told == [("hero.created", ("2",))]


@pytest.mark.parametrize("moment", ["before it is taken", "while it is being told"])
async def test_process_that_is_killed_leaves_the_event_to_the_next(url: str, moment: str) -> None:
    script = Path(__file__).with_name("crashing.py")
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, script, url, moment], timeout=60, check=False
    )
    app, inbox = application(url), Inbox()
    app.on("hero.created", name="mail")(inbox)

    async with running(app):
        await inbox.until_told(1)

    assert killed.returncode == -signal.SIGKILL
    assert [event.after for event in inbox.events] == [{"id": 1, "name": "Storm"}]
    assert deliveries(url) == []


async def test_rows_deleted_by_a_cascade_are_told_before_the_row_above(url: str) -> None:
    app, inbox = application(url), Inbox()
    app.on("hero.deleted", "gadget.deleted")(inbox)
    body = {"name": "Storm", "gadgets": [{"name": "cape"}, {"name": "boots"}]}

    async with running(app) as client:
        assert (await client.post("/api/heroes", json=body)).status_code == 201
        assert (await client.delete("/api/heroes/1")).status_code == 204
        await inbox.until_told(3)

    *below, above = [event.before and event.before["name"] for event in inbox.events]
    assert (sorted(below), above) == (["boots", "cape"], "Storm")


def test_mistakes_in_subscriptions_are_told_together() -> None:
    app = application("sqlite://")
    app.on("hero.create", name="a")(print)
    app.on("villain.*", name="a")(repr)

    findings = [(f.code, f.subject, f.remedy) for f in app.check()]

    assert findings[0] == ("events.unknown", "a", "Did you mean 'hero.created'?")
    assert [code for code, _, _ in findings[1:]] == ["events.unknown", "events.same_name"]
    assert findings[1][2].startswith("Events: power.created, power.updated")
