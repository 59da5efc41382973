"""Many clients change things at the same time: no update is lost, no key has two effects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

import pytest
from httpx import AsyncClient, Response
from sqlalchemy import String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Actor, Policy, Tilth, public
from tilth.settings import Settings, StoreSettings
from tilth.testing import acting, actor_reader

ServeTogether = Callable[[list[Tilth]], AbstractAsyncContextManager[list[AsyncClient]]]

KEYS, REPEATS, AT_ONCE = 200, 5, 8
CLIENTS = 32
ANN = acting(Actor("ann"))


class Base(DeclarativeBase):
    pass


class Counter(Base):
    __tablename__ = "counter"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    count: Mapped[int] = mapped_column(default=0)


@dataclass(frozen=True, slots=True)
class Gate:
    """Where the first insert of a test stands until it is let through."""

    reached: Event = field(default_factory=Event)
    opened: Event = field(default_factory=Event)

    def hold(self, mapper: object, connection: object, counter: Counter) -> None:
        if counter.name == "held" and not self.reached.is_set():
            self.reached.set()
            assert self.opened.wait(60)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    hold = gate.hold
    event.listen(Counter, "before_insert", hold)
    yield gate
    event.remove(Counter, "before_insert", hold)


@pytest.fixture
def new_app(database_url: str, fill: Callable[..., None]) -> Callable[..., Tilth]:
    """Each knows only of its own requests, like a process of its own; all have one database."""
    fill(database_url, Base.metadata, [Counter(name="zero")])

    def new_app(**store: Any) -> Tilth:
        settings = Settings(store=replace(StoreSettings(), **store))
        app = Tilth(database_url, settings=settings, readers=[actor_reader])
        app.expose(Counter, Policy(read=public, write=public))
        return app

    return new_app


async def create(client: AsyncClient, key: str, name: str) -> Response:
    headers = {**ANN, "idempotency-key": key}
    return await client.post("/api/counters", json={"name": name}, headers=headers)


async def count(client: AsyncClient, name: str) -> int:
    found = await client.get(f"/api/counters?name={name}&count=exact")
    total: int = found.json()["total"]
    return total


def test_repetition_of_a_request_that_still_runs_is_409(
    new_app: Callable[..., Tilth], serve_together: ServeTogether, gate: Gate
) -> None:
    async def story() -> None:
        async with serve_together([new_app()]) as [client]:
            first = asyncio.create_task(create(client, "key", "held"))
            assert await asyncio.to_thread(gate.reached.wait, 60)
            early = await create(client, "key", "held")
            gate.opened.set()
            made, late = await first, await create(client, "key", "held")

            assert (early.status_code, early.json()["code"]) == (409, "idempotency_running")
            assert early.headers["retry-after"] == "1"
            assert (made.status_code, late.status_code, late.content) == (201, 201, made.content)
            assert late.headers["idempotency-replayed"] == "true"

    asyncio.run(story())


def test_repetition_elsewhere_waits_no_longer_than_for_a_lock(
    database_url: str, new_app: Callable[..., Tilth], serve_together: ServeTogether, gate: Gate
) -> None:
    # SQLite has one writer, and does not say which request it is that writes.
    is_sqlite = database_url.startswith("sqlite")
    refusal = (503, "database_busy") if is_sqlite else (409, "idempotency_running")

    async def story() -> None:
        apps = [new_app(), new_app(lock_seconds=0.1)]
        async with serve_together(apps) as [client, elsewhere]:
            first = asyncio.create_task(create(client, "key", "held"))
            assert await asyncio.to_thread(gate.reached.wait, 60)
            early = await create(elsewhere, "key", "held")
            gate.opened.set()
            made, late = await first, await create(elsewhere, "key", "held")

            assert (early.status_code, early.json()["code"]) == refusal
            assert early.headers["retry-after"] == "1"
            assert (made.status_code, late.content) == (201, made.content)
            assert late.headers["idempotency-replayed"] == "true"
            assert await count(client, "held") == 1

    asyncio.run(story())


def test_repetition_elsewhere_of_what_failed_is_done(
    new_app: Callable[..., Tilth], serve_together: ServeTogether, gate: Gate
) -> None:
    """The first is given up while it holds the claim; its claim goes with it."""

    async def story() -> None:
        async with serve_together([new_app(), new_app()]) as [client, elsewhere]:
            first = asyncio.create_task(create(client, "key", "held"))
            assert await asyncio.to_thread(gate.reached.wait, 60)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            second = asyncio.create_task(create(elsewhere, "key", "held"))
            gate.opened.set()
            made = await second

            assert (made.status_code, "idempotency-replayed" in made.headers) == (201, False)
            assert await count(client, "held") == 1

    asyncio.run(story())


def test_one_effect_per_key_however_many_send_it(
    new_app: Callable[..., Tilth], serve_together: ServeTogether
) -> None:
    """200 keys, each sent five times at once to two processes; who is told to wait sends again."""

    async def patiently(client: AsyncClient, key: str) -> Response:
        while (answer := await create(client, key, key)).status_code == 503:
            pass
        return answer

    async def send(clients: list[AsyncClient], key: str) -> set[tuple[int, bytes]]:
        chosen = [clients[place % len(clients)] for place in range(REPEATS)]
        answers = await asyncio.gather(*(create(client, key, key) for client in chosen))
        assert {answer.status_code for answer in answers} <= {201, 409, 503}
        again = [await patiently(client, key) for client in clients]
        done = [*again, *(answer for answer in answers if answer.status_code == 201)]
        return {(answer.status_code, answer.content) for answer in done}

    async def story() -> None:
        async with serve_together([new_app(), new_app()]) as clients:
            turns = asyncio.Semaphore(AT_ONCE)

            async def in_turn(key: str) -> set[tuple[int, bytes]]:
                async with turns:
                    return await send(clients, key)

            outcomes = await asyncio.gather(*(in_turn(f"key-{n}") for n in range(KEYS)))
            rows = await clients[0].get("/api/counters?name__startswith=key-&count=exact")

            assert [len(outcome) for outcome in outcomes] == [1] * KEYS
            assert {status for [(status, _)] in outcomes} == {201}
            assert rows.json()["total"] == KEYS

    asyncio.run(story())


def test_conditional_changes_lose_no_update(
    new_app: Callable[..., Tilth], serve_together: ServeTogether
) -> None:
    """32 clients read one row, add one to what they read, and start again when it has changed.

    Each does it twice, so that those who were in time meet those who were not.
    """

    async def add(client: AsyncClient) -> None:
        added = 0
        while added < 2:
            seen = await client.get("/api/counters/1")
            changed = await client.patch(
                "/api/counters/1",
                json={"count": seen.json()["count"] + 1},
                headers={"if-match": seen.headers["etag"]},
            )
            added += changed.status_code == 200
            assert changed.status_code == 200 or changed.status_code in {412, 503}

    async def story() -> None:
        async with serve_together([new_app(), new_app()]) as clients:
            await asyncio.gather(*(add(clients[n % 2]) for n in range(CLIENTS)))
            row = await clients[0].get("/api/counters/1")

            assert row.json()["count"] == 2 * CLIENTS

    asyncio.run(story())


def test_batches_that_change_the_same_rows_in_any_order_all_succeed(
    new_app: Callable[..., Tilth], serve_together: ServeTogether
) -> None:
    """Each waits for the others, and none for one that waits for it."""

    def operations(*keys: int) -> dict[str, Any]:
        changes = [{"count": key} for key in keys]
        paths = [f"/api/counters/{key}" for key in keys]
        return {
            "operations": [
                {"method": "PATCH", "path": path, "body": body}
                for path, body in zip(paths, changes, strict=True)
            ]
        }

    async def story() -> set[int]:
        async with serve_together([new_app(), new_app()]) as clients:
            await clients[0].post("/api/counters", json={"name": "one"})
            orders = [(1, 2), (2, 1)] * CLIENTS
            answers = await asyncio.gather(
                *(
                    clients[n % 2].post("/api/batch", json=operations(*order))
                    for n, order in enumerate(orders)
                )
            )
        return {each.status_code for each in answers}

    assert asyncio.run(story()) == {200}
