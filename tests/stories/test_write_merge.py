"""`resolution=merge` where clients choose the key, where a field is masked, and where many merge at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from httpx import AsyncClient, Response
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Actor, Policy, Tilth, me, public
from tilth.testing import actor_reader

Ask = Callable[..., Response]
ServeTogether = Callable[[list[Tilth]], AbstractAsyncContextManager[list[AsyncClient]]]
MERGE = {"prefer": "resolution=merge"}
ANN, BEN = Actor("ann"), Actor("ben")


class Base(DeclarativeBase):
    pass


class Place(Base):
    """Its key is chosen by clients, and its name is as good as a key."""

    __tablename__ = "place"
    code: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    size: Mapped[int | None]


class Account(Base):
    """Everybody sees the accounts, and only their owners the number."""

    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(String(20))
    number: Mapped[str | None] = mapped_column(String(20), unique=True)


@pytest.fixture
def app(database_url: str, fill: Callable[..., None]) -> Tilth:
    fill(database_url, Base.metadata, [Account(owner="ann", number="DE1")])
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Place, Policy(read=public, write=public))
    app.expose(
        Account,
        Policy(read=public, write=public, fields={"number": Account.owner == me.id}),
    )
    return app


@pytest.fixture
def ask(app: Tilth, serve: Callable[[Tilth], Ask]) -> Ask:
    return serve(app)


def merge(ask: Ask, path: str, body: Any, **options: Any) -> Response:
    return ask(path, method="POST", json=body, headers=MERGE, **options)


def test_row_keeps_the_key_it_was_made_with(ask: Ask) -> None:
    path = "/api/places?on=name"

    made = merge(ask, path, {"code": "a", "name": "attic", "size": 1})
    again = merge(ask, path, {"code": "b", "name": "attic", "size": 2})
    by_key = merge(ask, "/api/places?on=code", {"code": "a", "name": "attic", "size": 3})

    assert [made.status_code, again.status_code, by_key.status_code] == [201, 200, 200]
    assert again.json() == {"code": "a", "name": "attic", "size": 2}
    assert ask("/api/places").json()["items"] == [{"code": "a", "name": "attic", "size": 3}]


def test_masked_value_finds_no_row(ask: Ask) -> None:
    """Or guessing numbers would tell whose they are."""
    body = {"owner": "ben", "number": "DE1"}

    guessed = merge(ask, "/api/accounts?on=number", body, by=BEN)
    own = merge(ask, "/api/accounts?on=number", {"owner": "ann", "number": "DE1"}, by=ANN)

    assert (guessed.status_code, guessed.json()["code"]) == (409, "unique")
    assert "location" not in guessed.headers
    assert own.status_code == 200


def test_lists_in_opposite_order_do_not_wait_for_each_other(
    app: Tilth, serve_together: ServeTogether
) -> None:
    """Eight at once hold the same rows, half of them the other way round."""
    names = [f"n{i}" for i in range(12)]

    def body(turn: int) -> list[dict[str, Any]]:
        rows = [{"code": name, "name": name, "size": turn} for name in names]
        return rows if turn % 2 else rows[::-1]

    async def story() -> list[Response]:
        async with serve_together([app]) as [client]:
            path = "/api/places?on=name"
            await client.post(path, json=body(0), headers=MERGE)
            return await asyncio.gather(
                *(client.post(path, json=body(turn), headers=MERGE) for turn in range(8))
            )

    answers = asyncio.run(story())

    assert [answer.text for answer in answers if answer.status_code != 200] == []
    orders = {tuple(row["code"] for row in answer.json()["items"]) for answer in answers}
    assert orders == {tuple(names), tuple(names[::-1])}
