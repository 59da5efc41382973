"""A deletion and what others do meanwhile to rows that it takes along: both happen, or one after the other.

On PostgreSQL alone: SQLite has one writer at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, String, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from tests.waiting import wait_for_a_waiter

from tilth import Policy, Tilth, public
from tilth.kernel.store.outbox import EVENTS
from tilth.kernel.store.sync import sync_engine

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class House(Base):
    __tablename__ = "house"
    id: Mapped[int] = mapped_column(primary_key=True)
    rooms: Mapped[list[Room]] = relationship(cascade="all, delete-orphan")
    cats: Mapped[list[Cat]] = relationship()


class Room(Base):
    """Goes with the house, by the mapping."""

    __tablename__ = "room"
    id: Mapped[int] = mapped_column(primary_key=True)
    house_id: Mapped[int] = mapped_column(ForeignKey("house.id"))
    name: Mapped[str] = mapped_column(String(20), default="")
    version: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Chair(Base):
    """Goes with the room, by the database."""

    __tablename__ = "chair"
    id: Mapped[int] = mapped_column(primary_key=True)
    room_id: Mapped[int] = mapped_column(ForeignKey("room.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(20), default="")


class Cat(Base):
    """Stays, without a house: the mapping takes it out."""

    __tablename__ = "cat"
    id: Mapped[int] = mapped_column(primary_key=True)
    house_id: Mapped[int | None] = mapped_column(ForeignKey("house.id"))
    name: Mapped[str] = mapped_column(String(20), default="")


ROWS: dict[type, list[dict[str, Any]]] = {
    House: [{"id": 1}, {"id": 2}],
    Room: [{"id": 1, "house_id": 1, "version": 1, "name": ""}],
    Chair: [{"id": 1, "room_id": 1, "name": ""}],
    Cat: [{"id": 1, "house_id": 1, "name": ""}],
}


@pytest.fixture
def ask(postgres_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(postgres_url, Base.metadata, rows=ROWS)
    app = Tilth(postgres_url)
    for model in (House, Room, Chair, Cat):
        app.expose(model, Policy(read=public, write=public))
    return serve(app)


def deleted_while(url: str, ask: Ask, statement: str) -> Response:
    """House 1, by a request that comes when the statement is made and ends after its commit."""
    engine = sync_engine(url)
    with ThreadPoolExecutor(1) as other, engine.connect() as connection:
        connection.execute(text(statement))
        answer = other.submit(ask, "/api/houses/1", method="DELETE")
        wait_for_a_waiter(connection)
        connection.commit()
        found = answer.result()
    engine.dispose()
    return found


def told(url: str) -> dict[tuple[str, str], tuple[Any, Any]]:
    engine = sync_engine(url)
    with engine.connect() as connection:
        found = connection.execute(select(EVENTS).order_by(EVENTS.c.id)).all()
    engine.dispose()
    return {(each.type, each.key[0]): (each.before, each.after) for each in found}


GONE = [("chair.deleted", "1"), ("room.deleted", "1"), ("cat.updated", "1"), ("house.deleted", "1")]
MEANWHILE: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "a room moves out": (
        "UPDATE room SET house_id = 2, version = 2 WHERE id = 1",
        [("cat.updated", "1"), ("house.deleted", "1")],
    ),
    "a cat moves out": ("UPDATE cat SET house_id = 2 WHERE id = 1", GONE[:2] + GONE[3:]),
    "a room changes": ("UPDATE room SET name = 'x', version = 2 WHERE id = 1", GONE),
    "a chair is bought": (
        "INSERT INTO chair (id, room_id, name) VALUES (7, 1, '')",
        [("chair.deleted", "7"), *GONE],
    ),
    "a room is built": (
        "INSERT INTO room (id, house_id, name, version) VALUES (7, 1, '', 1)",
        [("room.deleted", "7"), *GONE],
    ),
}


@pytest.mark.parametrize("case", MEANWHILE)
def test_what_happens_meanwhile_is_kept_or_told(ask: Ask, postgres_url: str, case: str) -> None:
    statement, events = MEANWHILE[case]

    answer = deleted_while(postgres_url, ask, statement)

    assert answer.status_code == 204, answer.text
    assert sorted(told(postgres_url)) == sorted(events)
    left = {
        f"{name}.deleted": {str(each["id"]) for each in ask(f"/api/{name}s").json()["items"]}
        for name in ("room", "chair")
    }
    assert not any(key in left.get(verb, ()) for verb, key in told(postgres_url))
    assert len(left["room.deleted"]) == (1 if "room moves" in case else 0)
    assert ask("/api/cats/1").json()["house_id"] == (2 if "cat moves" in case else None)


def test_before_and_after_of_a_row_that_follows_are_of_this_change(
    ask: Ask, postgres_url: str
) -> None:
    deleted_while(postgres_url, ask, "UPDATE cat SET name = 'Tom' WHERE id = 1")

    before, after = told(postgres_url)["cat.updated", "1"]
    assert before == {"id": 1, "house_id": 1, "name": "Tom"}
    assert after == {"id": 1, "house_id": None, "name": "Tom"}
