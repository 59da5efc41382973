"""Many change the same few rows at once, in every way there is: the events tell what is stored."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from httpx import AsyncClient, Response
from sqlalchemy import Column, ForeignKey, Table, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Policy, Tilth, public
from tilth.kernel.store.outbox import EVENTS
from tilth.kernel.store.sync import sync_engine

ServeTogether = Callable[[list[Tilth]], AbstractAsyncContextManager[list[AsyncClient]]]

CLIENTS, STEPS, ROWS = 12, 20, 6
ANSWERS = {200, 201, 204, 404, 409, 412}


class Base(DeclarativeBase):
    pass


on = Table(
    "on_item",
    Base.metadata,
    Column("item_id", ForeignKey("item.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    count: Mapped[int] = mapped_column(default=0)
    tags: Mapped[list[Tag]] = relationship(secondary=on)


async def create(client: AsyncClient, dice: random.Random) -> Response:
    return await client.post("/api/items", json={"code": f"c{dice.randrange(2 * ROWS)}"})


async def change(client: AsyncClient, dice: random.Random) -> Response:
    return await client.patch(_item(dice), json={"count": dice.randrange(100)})


async def change_what_was_seen(client: AsyncClient, dice: random.Random) -> Response:
    path = _item(dice)
    seen = (await client.get(path)).headers.get("etag", '"none"')
    body = {"count": dice.randrange(100)}
    return await client.patch(path, json=body, headers={"if-match": seen})


async def remove(client: AsyncClient, dice: random.Random) -> Response:
    return await client.delete(f"/api/items/{dice.randrange(1, 3 * ROWS)}")


async def change_two(client: AsyncClient, dice: random.Random) -> Response:
    """In any order, so that two of them may each wait for the other."""
    operations = [
        {"method": "PATCH", "path": _item(dice), "body": {"count": dice.randrange(100)}}
        for _ in range(2)
    ]
    return await client.post("/api/batch", json={"operations": operations})


async def merge_two(client: AsyncClient, dice: random.Random) -> Response:
    codes = dice.sample(range(2 * ROWS), 2)
    rows = [{"code": f"c{code}", "count": dice.randrange(100)} for code in codes]
    return await client.post(
        "/api/items?on=code", json=rows, headers={"prefer": "resolution=merge"}
    )


async def change_all(client: AsyncClient, dice: random.Random) -> Response:
    return await client.patch(
        f"/api/items?count__lt={dice.randrange(100)}",
        json={"count": dice.randrange(100)},
        headers={"prefer": "max-affected=100"},
    )


async def link(client: AsyncClient, dice: random.Random) -> Response:
    method = dice.choice(["PUT", "DELETE"])
    return await client.request(method, f"{_item(dice)}/tags/{dice.randrange(1, 4)}")


def _item(dice: random.Random) -> str:
    return f"/api/items/{dice.randrange(1, ROWS + 1)}"


WAYS: list[Callable[[AsyncClient, random.Random], Awaitable[Response]]] = [
    create,
    change,
    change_what_was_seen,
    remove,
    change_two,
    merge_two,
    change_all,
    link,
]


@pytest.mark.anyio
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_events_tell_what_is_stored(
    database_url: str, fill: Callable[..., None], serve_together: ServeTogether, seed: int
) -> None:
    fill(database_url, Base.metadata, [Tag(), Tag(), Tag()])
    apps = []
    for _ in range(2):
        app = Tilth(database_url)
        app.expose(Tag, Policy(read=public, write=public))
        app.expose(Item, Policy(read=public, write=public))
        apps.append(app)
    statuses: Counter[int] = Counter()

    async def work(client: AsyncClient, number: int) -> None:
        dice = random.Random(f"{seed} {number}")
        for _ in range(STEPS):
            answer = await dice.choice(WAYS)(client, dice)
            statuses[answer.status_code] += 1
            assert answer.status_code in ANSWERS | busy(database_url), answer.text

    async with serve_together(apps) as clients:
        for code in range(ROWS):
            await clients[0].post("/api/items", json={"code": f"c{code}"})
        await asyncio.gather(*(work(clients[n % 2], n) for n in range(CLIENTS)))
        listed = (await clients[0].get("/api/items?limit=200&expand=tags")).json()["items"]

    assert sum(statuses[status] for status in (200, 201, 204)) > CLIENTS
    assert told(database_url) == {
        row["id"]: {**row, "tags": sorted(tag["id"] for tag in row["tags"])} for row in listed
    }


def busy(url: str) -> set[int]:
    """Two applications on one SQLite file wait for each other as long as they may."""
    return {503} if url.startswith("sqlite") else set()


def told(url: str) -> dict[int, Mapping[str, Any]]:
    """The rows as their events say, from the first to the last."""
    engine = sync_engine(url)
    with engine.connect() as connection:
        asked = select(EVENTS).where(EVENTS.c.resource == "items").order_by(EVENTS.c.id)
        events = connection.execute(asked).all()
    engine.dispose()
    rows: dict[int, dict[str, Any]] = {}
    for event in events:
        key = int(event.key[0])
        match event.type.partition(".")[2]:
            case "created":
                assert key not in rows
                rows[key] = {**event.after, "tags": []}
            case "updated":
                assert event.before == {k: v for k, v in rows[key].items() if k != "tags"}
                rows[key] |= event.after
            case "linked":
                [tag] = event.after["tags"]
                rows[key]["tags"] = sorted({*rows[key]["tags"], int(tag)})
            case "unlinked":
                [tag] = event.before["tags"]
                rows[key]["tags"].remove(int(tag))
            case "deleted":
                del rows[key]
    return rows
