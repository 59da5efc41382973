"""A request with an Idempotency-Key may be repeated: one effect, the same answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, Engine, ForeignKey, String, Table, event, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth import Actor, Policy, assured, public, role
from tilth.app import Application
from tilth.feature import Feature
from tilth.features.api.routes import ApiRoute
from tilth.features.api.service.idempotency import Once
from tilth.kernel.store.idempotency import ANSWERS, FORGOTTEN_AT_ONCE, LATE
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]

ANN = Actor("ann", roles=frozenset({"clerk"}))
BOB = Actor("bob", roles=frozenset({"clerk"}))
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


class Base(DeclarativeBase):
    pass


guest_room = Table(
    "guest_room",
    Base.metadata,
    Column("guest_id", ForeignKey("guest.id"), primary_key=True),
    Column("room_id", ForeignKey("room.id"), primary_key=True),
)


class Room(Base):
    __tablename__ = "room"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    beds: Mapped[int] = mapped_column(default=1)
    stays: Mapped[list[Stay]] = relationship(back_populates="room")
    guests: Mapped[list[Guest]] = relationship(secondary=guest_room, back_populates="rooms")


class Stay(Base):
    __tablename__ = "stay"
    id: Mapped[int] = mapped_column(primary_key=True)
    nights: Mapped[int]
    room_id: Mapped[int] = mapped_column(ForeignKey("room.id"))
    room: Mapped[Room] = relationship(back_populates="stays")


class Guest(Base):
    __tablename__ = "guest"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    rooms: Mapped[list[Room]] = relationship(secondary=guest_room, back_populates="guests")


@dataclass(slots=True)
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 1, 31, 12, tzinfo=UTC))


@pytest.fixture
def hotel(database_url: str, fill: Callable[..., None], clock: Clock) -> Application:
    """Room 1 with nobody in it; the clock of its keys is the test's."""
    fill(database_url, Base.metadata, [Room(name="blue"), Guest(name="eve")])

    class Hotel(Application):
        features = (Feature("api", routes=lambda backend: [ApiRoute(backend, Once(clock))]),)

    app = Hotel(database_url, readers=[actor_reader])
    app.expose(Room, Policy(read=public, write=public))
    app.expose(Stay, Policy(read=public, write=role("clerk")))
    app.expose(Guest, Policy(read=public, write=public, delete=public | assured(2, 3600)))
    return app


@pytest.fixture
def ask(hotel: Application, serve: Callable[[Application], Ask]) -> Ask:
    return serve(hotel)


def keyed(ask: Ask, method: str, path: str, key: str = f'"{KEY}"', **options: Any) -> Response:
    headers = {"idempotency-key": key, **options.pop("headers", {})}
    return ask(path, method=method, headers=headers, **{"by": ANN, **options})


def new_room(ask: Ask, key: str = f'"{KEY}"', name: str = "red", **options: Any) -> Response:
    return keyed(ask, "POST", "/api/rooms", key, json={"name": name}, **options)


def names(ask: Ask) -> list[str]:
    return [room["name"] for room in ask("/api/rooms").json()["items"]]


def answer_of(response: Response) -> tuple[int, bytes, dict[str, str]]:
    """Without what tells of this request and not of its change."""
    own = ("x-request-id", "server-timing", "idempotency-replayed")
    headers = {name: text for name, text in response.headers.items() if name not in own}
    return response.status_code, response.content, headers


CHANGES: dict[str, tuple[str, str, Any, int]] = {
    "create": ("POST", "/api/rooms", {"name": "red"}, 201),
    "create below": ("POST", "/api/rooms/1/stays", {"nights": 2}, 201),
    "replace": ("PUT", "/api/rooms/1", {"name": "red", "beds": 2}, 200),
    "patch": ("PATCH", "/api/rooms/1", {"beds": 2}, 200),
    "delete": ("DELETE", "/api/rooms/1", None, 204),
    "link": ("PUT", "/api/rooms/1/guests/1", None, 204),
    "unlink": ("DELETE", "/api/rooms/1/guests/1", None, 204),
}


@pytest.mark.parametrize("change", CHANGES)
def test_repeated_change_is_answered_byte_for_byte(ask: Ask, change: str) -> None:
    method, path, body, status = CHANGES[change]
    first = keyed(ask, method, path, json=body)
    between = ask("/api/rooms/1", method="PATCH", json={"beds": 9})

    again = keyed(ask, method, path, json=body)

    assert (first.status_code, "idempotency-replayed" in first.headers) == (status, False)
    assert answer_of(again) == answer_of(first)
    assert again.headers["idempotency-replayed"] == "true"
    if between.status_code == 200:
        assert ask("/api/rooms/1").json()["beds"] == 9


def test_repeated_creation_makes_one_row(ask: Ask) -> None:
    answers = [new_room(ask) for _ in range(3)]

    assert {answer_of(answer)[:2] for answer in answers} == {(201, answers[0].content)}
    assert names(ask) == ["blue", "red"]


def test_repeated_conditional_change_does_not_meet_its_own_effect(ask: Ask) -> None:
    seen = {"if-match": ask("/api/rooms/1").headers["etag"]}

    answers = [
        keyed(ask, "PATCH", "/api/rooms/1", json={"beds": 2}, headers=seen) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]


def test_repeated_minimal_answer_tells_what_was_applied(ask: Ask) -> None:
    brief = {"prefer": "return=minimal"}

    first, again = (new_room(ask, headers=brief) for _ in range(2))

    assert answer_of(again) == answer_of(first)
    assert (again.content, again.headers["preference-applied"]) == (b"", "return=minimal")


def test_key_may_come_without_quotes(ask: Ask) -> None:
    answers = [new_room(ask, key) for key in (KEY, f'"{KEY}"', f'  "{KEY}" ')]

    assert [a.headers.get("idempotency-replayed") for a in answers] == [None, "true", "true"]


MALFORMED = {
    "empty": "",
    "empty text": '""',
    "open quote": '"abc',
    "quote inside": '"a"c"',
    "two words": "a b",
    "two keys": '"a", "b"',
    "parameters": '"a";b=1',
    "not ASCII": '"\u00e9"',
    "bare backslash": '"a\\b"',
    "too long": f'"{"x" * 256}"',
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_key_is_400(ask: Ask, case: str) -> None:
    refused = new_room(ask, MALFORMED[case].encode("latin-1"))  # type: ignore[arg-type]

    assert (refused.status_code, refused.json()["code"]) == (400, "bad_idempotency_key")
    assert refused.json()["errors"][0]["pointer"] == "header:idempotency-key"
    assert names(ask) == ["blue"]


@pytest.mark.parametrize("key", [f'"{"x" * 255}"', f'"{chr(92)}"{"x" * 254}"', "a/b+c=:~"])
def test_longest_and_strangest_keys_are_taken(ask: Ask, key: str) -> None:
    assert [new_room(ask, key).status_code for _ in range(2)] == [201, 201]


OTHERS: dict[str, dict[str, Any]] = {
    "body": {"json": {"name": "green"}},
    "preferences": {"headers": {"prefer": "return=minimal"}},
    "condition": {"headers": {"if-none-match": "*"}},
    "media type of the answer": {"headers": {"accept": "application/json"}},
    "media type of the body": {"headers": {"content-type": "application/json; charset=utf-8"}},
    "rights": {"by": Actor("ann", roles=frozenset({"clerk", "guest"}))},
}


@pytest.mark.parametrize("other", OTHERS)
def test_key_of_another_request_is_422(ask: Ask, other: str) -> None:
    new_room(ask)

    refused = keyed(ask, "POST", "/api/rooms", **{"json": {"name": "red"}, **OTHERS[other]})

    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert names(ask) == ["blue", "red"]


STRONG = Actor(
    "ann",
    permissions=frozenset({"rooms.see"}),
    scopes=frozenset({"rooms"}),
    assurance=2,
    authenticated_at=datetime.now(UTC),
)
WEAKER = {
    "permission": replace(STRONG, permissions=frozenset()),
    "scope": replace(STRONG, scopes=frozenset({"rooms:create"})),
    "factor": replace(STRONG, assurance=1),
    "proof": replace(STRONG, authenticated_at=datetime.now(UTC) - timedelta(hours=2)),
}


@pytest.mark.parametrize("less", WEAKER)
def test_a_weaker_credential_is_not_told_what_a_stronger_one_was(ask: Ask, less: str) -> None:
    made = [new_room(ask, by=by) for by in (STRONG, STRONG, WEAKER[less])]

    assert [answer.status_code for answer in made] == [201, 201, 422]
    assert made[2].json()["code"] == "idempotency_key_reused"


def test_callers_addresses_and_methods_have_keys_of_their_own(ask: Ask) -> None:
    tenant = Actor("ann", roles=ANN.roles, tenant="north")
    answers = [
        *(new_room(ask, name=f"by {by.id} {by.tenant}", by=by) for by in (ANN, BOB, tenant)),
        keyed(ask, "POST", "/api/guests", json={"name": "red"}),
        keyed(ask, "PATCH", "/api/rooms/1", json={"beds": 3}),
        keyed(ask, "PUT", "/api/rooms/1", json={"name": "blue"}),
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 201, 201, 200, 200]
    assert not any("idempotency-replayed" in answer.headers for answer in answers)


def test_refusal_is_not_kept_and_the_request_may_succeed_later(ask: Ask) -> None:
    refused = new_room(ask, name="blue")
    ask("/api/rooms/1", method="DELETE")

    answers = [new_room(ask, name="blue") for _ in range(2)]

    assert refused.status_code == 409
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [a.headers.get("idempotency-replayed") for a in answers] == [None, "true"]


def test_rehearsal_neither_uses_a_key_nor_repeats(ask: Ask) -> None:
    rehearsal = {"prefer": "dry-run"}
    before = new_room(ask, headers=rehearsal)
    real = new_room(ask)
    after = new_room(ask, headers=rehearsal)

    assert [answer.status_code for answer in (before, real, after)] == [200, 201, 409]
    assert "idempotency-replayed" not in real.headers


def test_anonymous_key_must_be_one_that_nobody_guesses(ask: Ask) -> None:
    refused = new_room(ask, '"order-1"', by=None)
    taken = [new_room(ask, by=None) for _ in range(2)]

    assert (refused.status_code, refused.json()["code"]) == (400, "bad_idempotency_key")
    assert [answer.status_code for answer in taken] == [201, 201]
    assert taken[1].headers["idempotency-replayed"] == "true"


def test_nothing_is_repeated_to_who_may_no_longer_make_the_change(ask: Ask) -> None:
    def stay(by: Actor) -> Response:
        return keyed(ask, "POST", "/api/stays", json={"nights": 1, "room_id": 1}, by=by)

    assert [stay(by).status_code for by in (ANN, Actor("ann"), ANN)] == [201, 403, 201]


def test_expired_key_is_a_new_one(ask: Ask, clock: Clock) -> None:
    def replayed(name: str) -> bool:
        return "idempotency-replayed" in new_room(ask, name=name).headers

    first = replayed("red")
    clock.now += timedelta(hours=24, seconds=-1)
    assert (first, replayed("red")) == (False, True)
    clock.now += timedelta(seconds=1)
    assert (replayed("green"), replayed("green")) == (False, True)


def test_expired_answers_are_deleted_some_at_a_time_when_keys_come(
    ask: Ask, clock: Clock, database_url: str, fill: Callable[..., None]
) -> None:
    expired = [
        {
            "claim": bytes([n // 256, n % 256]),
            "request": b"r",
            "answer": b"a",
            "expires_at": clock.now,
        }
        for n in range(FORGOTTEN_AT_ONCE + 1)
    ]
    fill(database_url, OWN, rows={ANSWERS: expired})

    def left() -> int:
        engine = sync_engine(database_url)
        with engine.connect() as connection:
            found = connection.scalar(select(func.count()).select_from(ANSWERS))
        engine.dispose()
        return found or 0

    clock.now += LATE - timedelta(seconds=1)
    new_room(ask, '"1"', "r1")
    assert left() == FORGOTTEN_AT_ONCE + 2
    clock.now += timedelta(seconds=1)
    new_room(ask, '"2"', "r2")
    assert left() == 3
    new_room(ask, '"3"', "r3")
    assert left() == 3


def test_answer_lost_on_its_way_is_given_again(
    hotel: Application, serve: Callable[[Application], Ask]
) -> None:
    hotel.add_middleware(LosingTheFirstAnswer)
    ask = serve(hotel)

    with pytest.raises(ConnectionResetError):
        new_room(ask)
    again = new_room(ask)

    assert (again.status_code, again.headers["idempotency-replayed"]) == (201, "true")
    assert ask(again.headers["location"]).json() == again.json()
    assert names(ask) == ["blue", "red"]


class LosingTheFirstAnswer:
    """The connection breaks when the first answer is about to be sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.is_broken = app, False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def lose(message: Message) -> None:
            if not self.is_broken and message["type"] == "http.response.start":
                self.is_broken = True
                raise ConnectionResetError
            await send(message)

        await self.app(scope, receive, lose)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Every statement that SQLAlchemy runs, but for the one that begins a transaction."""
    statements: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", count)


def test_key_costs_two_statements_and_a_repetition_is_two(ask: Ask) -> None:
    def cost(name: str, headers: dict[str, str]) -> int:
        with counted() as statements:
            ask("/api/rooms", method="POST", json={"name": name}, headers=headers, by=ANN)
        return len(statements)

    key = {"idempotency-key": KEY}
    cost("first of a connection", {})
    without = cost("red", {})

    assert (cost("green", key) - without, cost("green", key)) == (2, 2)
