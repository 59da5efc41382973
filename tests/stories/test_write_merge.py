"""`resolution=merge` where clients choose the key, where a field is masked, and where many merge at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest
from httpx import AsyncClient, Response
from sqlalchemy import ForeignKey, Index, Numeric, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

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


class Ticket(Base):
    """Who it is for is said once; what it is told apart by as well."""

    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    place_code: Mapped[str] = mapped_column(ForeignKey("place.code"))
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    seat: Mapped[int] = mapped_column(default=0)
    place: Mapped[Place] = relationship()
    word: Mapped[str | None] = mapped_column()
    __table_args__ = (Index("ticket_by_word", func.lower(word.column), unique=True),)


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
    once = ("number", "place_code", "price")
    app.expose(Ticket, Policy(read=public, write=public, write_once=once))
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


def test_rows_are_not_told_apart_by_an_expression(ask: Ask) -> None:
    refused = merge(ask, "/api/tickets?on=word", {**TICKET, "word": "a"})

    assert (refused.status_code, refused.json()["code"]) == (400, "not_unique")
    assert "on=word" not in refused.json()["detail"]


TICKET = {"number": "7", "place_code": "a", "price": "9.5"}
SAID_AGAIN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the same": ({}, []),
    "the same in other words": ({"price": "9.50"}, []),
    "the same by relation": ({"place_code": ..., "place": {"code": "a"}}, []),
    "another price": ({"price": "9.51"}, ["/price"]),
    "another place": ({"place_code": "b"}, ["/place_code"]),
    "another place by relation": ({"place_code": ..., "place": {"code": "b"}}, ["/place"]),
}


@pytest.mark.parametrize(("other", "refused"), SAID_AGAIN.values(), ids=list(SAID_AGAIN))
def test_what_can_be_given_once_may_be_said_again(
    ask: Ask, other: dict[str, Any], refused: list[str]
) -> None:
    for code in "ab":
        ask("/api/places", method="POST", json={"code": code, "name": code})
    made = merge(ask, "/api/tickets?on=number", TICKET)
    body = {n: value for n, value in {**TICKET, "seat": 3, **other}.items() if value is not ...}

    again = merge(ask, "/api/tickets?on=number", body)

    assert made.status_code == 201, made.text
    assert [each["pointer"] for each in again.json().get("errors", [])] == refused
    assert again.status_code == (422 if refused else 200)
    assert ask("/api/tickets/1").json()["seat"] == (0 if refused else 3)


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
