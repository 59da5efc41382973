"""Foreign keys, with a relationship or without: a row that is hidden is as absent as one that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from httpx import AsyncClient, Response
from sqlalchemy import ForeignKey, ForeignKeyConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates

from tilth import Actor, Policy, Scope, Tilth, public, role
from tilth.errors import Conflict
from tilth.testing import acting, actor_reader

Ask = Callable[..., Response]
ServeTogether = Callable[[list[Tilth]], AbstractAsyncContextManager[list[AsyncClient]]]

ADMIN = Actor("boss", roles=frozenset({"admin"}))
OPEN, HIDDEN, ABSENT = 1, 2, 99


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[bool] = mapped_column(default=False)
    members: Mapped[list[Member]] = relationship(cascade="all, delete-orphan")


class Member(Base):
    """Its key is followed from the other side only."""

    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    badge: Mapped[str | None] = mapped_column(ForeignKey("badge.code"))
    pet_id: Mapped[int | None] = mapped_column(ForeignKey("animal.id"))
    seat_row: Mapped[str | None]
    seat_number: Mapped[int | None]
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    __table_args__ = (
        ForeignKeyConstraint(["seat_row", "seat_number"], ["seat.row", "seat.number"]),
    )


class Badge(Base):
    """Referred to by what is not its primary key."""

    __tablename__ = "badge"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    secret: Mapped[bool] = mapped_column(default=False)


class Seat(Base):
    __tablename__ = "seat"
    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    secret: Mapped[bool] = mapped_column(default=False)


class Animal(Base):
    """Not exposed; two of its classes are."""

    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    secret: Mapped[bool] = mapped_column(default=False)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012


class Cat(Animal):
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012


class Dog(Animal):
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012


class Entry(Base):
    """Made as a mapped object, because of its validator."""

    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    after_id: Mapped[int | None] = mapped_column(ForeignKey("entry.id"))

    @validates("word")
    def not_empty(self, _: str, word: str) -> str:
        assert word, "Must not be empty."
        return word


def members(url: str) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    for model in (Team, Badge, Seat, Cat, Dog):
        app.expose(model, Policy(read=model.secret.is_(False) | role("admin"), write=role("admin")))
    app.expose(Member, Policy(read=public, write=public))
    app.expose(Entry, Policy(read=public, write=public))

    @app.post("/two-entries")
    async def two_entries(scope: Scope) -> str:
        await scope.objects(Entry).create(word="first")
        try:
            await scope.objects(Entry).create(word="second", team_id=ABSENT)
        except Conflict as exc:
            return exc.faults[0].pointer
        return "nothing was wrong"

    return app


def rows() -> Iterator[Base]:
    for number, secret in ((OPEN, False), (HIDDEN, True)):
        yield Team(secret=secret)
        yield Badge(id=number, code=f"b{number}", secret=secret)
        yield Seat(row="A", number=number, secret=secret)
        yield Cat(id=number, secret=secret)
        yield Dog(id=10 + number, secret=secret)


@pytest.fixture
def app(database_url: str, fill: Callable[..., None]) -> Tilth:
    fill(database_url, Base.metadata, rows())
    return members(database_url)


@pytest.fixture
def ask(app: Tilth, serve: Callable[[Tilth], Ask]) -> Ask:
    ask = serve(app)
    made = ask("/api/members", method="POST", json={})
    assert made.headers["location"] == "/api/members/1"
    return ask


KEYS: dict[str, tuple[Callable[[int], dict[str, Any]], str]] = {
    "followed from the other side": (lambda n: {"team_id": n}, "/team_id"),
    "to a unique column": (lambda n: {"badge": f"b{n}"}, "/badge"),
    "of two parts": (lambda n: {"seat_row": "A", "seat_number": n}, "/seat_row"),
    "to a table of several resources": (lambda n: {"pet_id": n}, "/pet_id"),
}
WAYS: dict[str, Callable[[Ask, dict[str, Any]], Response]] = {
    "create": lambda ask, body: ask("/api/members", method="POST", json=body),
    "create many": lambda ask, body: ask("/api/members", method="POST", json=[{}, body]),
    "change": lambda ask, body: ask("/api/members/1", method="PATCH", json=body),
    "replace": lambda ask, body: ask("/api/members/1", method="PUT", json=body),
    "change many": lambda ask, body: ask(
        "/api/members?id=1", method="PATCH", json=body, headers={"prefer": "max-affected=1"}
    ),
    "rehearse": lambda ask, body: ask(
        "/api/members", method="POST", json=body, headers={"prefer": "dry-run"}
    ),
    "batch": lambda ask, body: ask(
        "/api/batch",
        method="POST",
        json={"operations": [{"method": "PATCH", "path": "/api/members/1", "body": body}]},
    ),
}


def told(answer: Response) -> tuple[int, Any]:
    document = answer.json()
    document.pop("request_id", None)
    return answer.status_code, document


CHANGES = ("change", "replace", "change many", "batch")


@pytest.mark.parametrize("way", CHANGES)
@pytest.mark.parametrize("key", KEYS)
def test_hidden_row_that_is_referred_to_already_is_no_obstacle(
    ask: Ask, key: str, way: str
) -> None:
    hidden = KEYS[key][0](HIDDEN)
    assert ask("/api/members/1", method="PATCH", json=hidden, by=ADMIN).status_code == 200

    answer = WAYS[way](ask, {**hidden, "mentor_id": 1})

    assert answer.status_code == 200, answer.text
    assert ask("/api/members/1").json() | {**hidden, "mentor_id": 1} == ask("/api/members/1").json()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", KEYS)
def test_hidden_is_as_absent(ask: Ask, key: str, way: str) -> None:
    body, pointer = KEYS[key]
    hidden, absent = (told(WAYS[way](ask, body(n))) for n in (HIDDEN, ABSENT))

    assert hidden == absent
    assert (hidden[0], hidden[1]["code"]) == (409, "no_such_row")
    assert hidden[1]["errors"][0]["pointer"].endswith(pointer)
    assert len(ask("/api/members").json()["items"]) == 1
    assert WAYS[way](ask, body(OPEN)).is_success


def test_either_resource_of_a_table_may_have_the_row(ask: Ask) -> None:
    answers = {
        pet: ask("/api/members", method="POST", json={"pet_id": pet}) for pet in (1, 2, 11, 12)
    }

    assert {pet: answer.status_code for pet, answer in answers.items()} == {
        1: 201,
        2: 409,
        11: 201,
        12: 409,
    }


def test_whoever_may_see_it_may_choose_it(ask: Ask) -> None:
    body = {"team_id": HIDDEN, "badge": f"b{HIDDEN}", "seat_row": "A", "seat_number": HIDDEN}

    assert ask("/api/members", method="POST", json=body, by=ADMIN).status_code == 201
    # Whoever may not, and leaves it as it is, changes the rest.
    assert ask("/api/members/2", method="PATCH", json={"pet_id": 1}).status_code == 200


def test_a_part_of_a_key_is_judged_with_the_rest_of_it(ask: Ask) -> None:
    seated = ask("/api/members", method="POST", json={"seat_row": "A", "seat_number": OPEN})

    answers = [
        ask(seated.headers["location"], method="PATCH", json={"seat_number": number})
        for number in (HIDDEN, ABSENT)
    ]

    assert told(answers[0]) == told(answers[1])
    assert answers[0].status_code == 409
    assert [fault["pointer"] for fault in answers[0].json()["errors"]] == [
        "/seat_row",
        "/seat_number",
    ]


WRONG_KEYS: dict[str, tuple[str, Any, list[str]]] = {
    "the second of two": (
        "/api/entries",
        [{"word": "a"}, {"word": "b", "team_id": 99}],
        ["/1/team_id"],
    ),
    "one of two keys": ("/api/entries", {"word": "a", "team_id": 1, "after_id": 99}, ["/after_id"]),
    "both keys": (
        "/api/entries",
        {"word": "a", "team_id": 98, "after_id": 99},
        ["/team_id", "/after_id"],
    ),
    "of a row that is made with another": (
        "/api/teams",
        {"members": [{}, {"team_id": None, "mentor_id": 99}]},
        ["/members/1/mentor_id"],
    ),
    "behind one that is made before it": (
        "/api/batch",
        {
            "operations": [
                {"method": "POST", "path": "/api/entries", "body": {"word": "a"}, "name": "a"},
                {
                    "method": "POST",
                    "path": "/api/entries",
                    "body": {"word": "b", "after_id": {"$ref": "a.id"}, "team_id": 99},
                },
            ]
        },
        ["/operations/1/body/team_id"],
    ),
}


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_the_wrong_key_is_named(ask: Ask, case: str) -> None:
    path, body, pointers = WRONG_KEYS[case]

    refused = ask(path, method="POST", json=body, by=ADMIN)

    assert (refused.status_code, refused.json()["code"]) == (409, "no_such_row")
    # PostgreSQL names the first of several.
    named = [fault["pointer"] for fault in refused.json()["errors"]]
    assert named in (pointers, pointers[:1])
    assert ask("/api/entries").json()["items"] == []


def test_an_endpoint_that_catches_the_refusal_keeps_what_it_made_before(ask: Ask) -> None:
    answer = ask("/two-entries", method="POST", by=ADMIN)

    assert (answer.status_code, answer.json()) == (200, "/team_id")
    assert [row["word"] for row in ask("/api/entries").json()["items"]] == ["first"]


@pytest.mark.anyio
@pytest.mark.parametrize("resource", ["members", "entries"])
async def test_wrong_keys_hold_nobody_up(
    app: Tilth, serve_together: ServeTogether, resource: str
) -> None:
    async with serve_together([app]) as [client], asyncio.timeout(20):
        answers = await asyncio.gather(
            *(
                client.post(f"/api/{resource}", json=body_of(resource, team))
                for team in [OPEN, ABSENT] * 20
            )
        )

    assert [answer.status_code for answer in answers] == [201, 409] * 20


def body_of(resource: str, team: int) -> dict[str, Any]:
    return {"team_id": team} | ({"word": "w"} if resource == "entries" else {})


@pytest.mark.anyio
async def test_accepted_work_with_a_wrong_key_is_answered(
    app: Tilth, serve_together: ServeTogether
) -> None:
    headers = {"prefer": "respond-async, wait=20", **acting(ADMIN)}
    async with serve_together([app]) as [client]:
        answer = await client.post(
            "/api/entries", json={"word": "w", "team_id": ABSENT}, headers=headers
        )

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (409, "/team_id")
