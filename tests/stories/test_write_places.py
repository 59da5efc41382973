"""What follows from where a row is made, and from what links are made of: no way around a policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, public, role
from tilth.testing import actor_reader

Ask = Callable[..., Response]

ANN = Actor("ann", tenant="north")
CLERK = Actor("clerk", roles=frozenset({"clerk"}), tenant="north")


class Base(DeclarativeBase):
    pass


class Membership(Base):
    """Who is in which club: a resource, and the link table of a relation."""

    __tablename__ = "membership"
    club_id: Mapped[int] = mapped_column(ForeignKey("club.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    paid: Mapped[bool] = mapped_column(default=False)


friends = Table(
    "friends",
    Base.metadata,
    Column("club_id", ForeignKey("club.id"), primary_key=True),
    Column("person_id", ForeignKey("person.id"), primary_key=True),
)


class Club(Base):
    __tablename__ = "club"
    id: Mapped[int] = mapped_column(primary_key=True)
    people: Mapped[list[Person]] = relationship(secondary="membership")
    friends: Mapped[list[Person]] = relationship(secondary=friends)
    guests: Mapped[list[Guest]] = relationship(back_populates="club")
    notes: Mapped[list[Note]] = relationship(back_populates="club")
    papers: Mapped[list[Paper]] = relationship(back_populates="club")


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)


class Guest(Base):
    """Nobody chooses its club."""

    __tablename__ = "guest"
    id: Mapped[int] = mapped_column(primary_key=True)
    club_id: Mapped[int | None] = mapped_column(ForeignKey("club.id"))
    club: Mapped[Club | None] = relationship(back_populates="guests")


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    club_id: Mapped[int] = mapped_column(ForeignKey("club.id"))
    club: Mapped[Club] = relationship(back_populates="notes")


class Paper(Base):
    """Put into the first club, whatever the client says."""

    __tablename__ = "paper"
    id: Mapped[int] = mapped_column(primary_key=True)
    club_id: Mapped[int] = mapped_column(ForeignKey("club.id"))
    club: Mapped[Club] = relationship(back_populates="papers")


def clubs(url: str, *, linked: bool = False) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    everything = Policy(read=public, write=public)
    people = Policy(read=public, write=public, link={"people": public} if linked else {})
    app.expose(Club, people)
    app.expose(Person, everything)
    app.expose(Membership, Policy(read=public, write=role("clerk")))
    app.expose(Guest, Policy(read=public, write=public, read_only=("club_id",)))
    app.expose(Note, everything)
    app.expose(Paper, Policy(read=public, write=public, preset={"club_id": 1}))
    return app


@pytest.fixture
def url(database_url: str, fill: Callable[..., None]) -> str:
    fill(database_url, Base.metadata, [Club(), Club(), Person(), Person()])
    return database_url


@pytest.fixture
def ask(url: str, serve: Callable[[Tilth], Ask]) -> Ask:
    return serve(clubs(url))


NO_WAY_ROUND: dict[str, tuple[str, str, Any, int]] = {
    "link": ("PUT", "/api/clubs/1/people/1", None, 404),
    "unlink": ("DELETE", "/api/clubs/1/people/1", None, 404),
    "links in a new row": ("POST", "/api/clubs", {"people": [{"id": 1}]}, 422),
    "links in a change": ("PATCH", "/api/clubs/1", {"people": [{"id": 1}]}, 422),
    "a row in the collection": ("POST", "/api/clubs/1/people", {}, 405),
}


@pytest.mark.parametrize("case", NO_WAY_ROUND)
def test_links_that_are_rows_of_a_resource_are_written_there(ask: Ask, case: str) -> None:
    method, path, body, status = NO_WAY_ROUND[case]
    membership = {"club_id": 1, "person_id": 1}

    answer = ask(path, method=method, by=ANN, **({} if body is None else {"json": body}))

    assert answer.status_code == status, answer.text
    if status == 422:
        assert "memberships" in answer.json()["errors"][0]["detail"]
    assert ask("/api/memberships").json()["items"] == []
    assert ask("/api/memberships", method="POST", json=membership, by=ANN).status_code == 403
    assert ask("/api/memberships", method="POST", json=membership, by=CLERK).status_code == 201
    assert [row["id"] for row in ask("/api/clubs/1/people").json()["items"]] == [1]


def test_links_are_written_along_the_relation_where_its_policy_says_who_may(
    url: str, serve: Callable[[Tilth], Ask]
) -> None:
    ask = serve(clubs(url, linked=True))

    assert ask("/api/clubs/1/people/1", method="PUT", by=ANN).status_code == 204
    assert ask("/api/memberships").json()["items"] == [
        {"club_id": 1, "person_id": 1, "paid": False}
    ]


PLACES: dict[str, tuple[str, Any, int, str]] = {
    "a field that nobody gives": ("/api/clubs/2/guests", {}, 422, ""),
    "of a row that is nested": ("/api/clubs", {"guests": [{}]}, 422, "/guests/0"),
    "a field that the server gives": ("/api/clubs/2/papers", {}, 422, ""),
    "of a nested row that it gives": ("/api/clubs", {"papers": [{}]}, 422, "/papers/0"),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_place_gives_no_field_a_value_that_its_policy_refuses(ask: Ask, case: str) -> None:
    path, body, status, pointer = PLACES[case]

    refused = ask(path, method="POST", json=body, by=ANN)

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (status, pointer)
    for resource in ("guests", "papers"):
        assert ask(f"/api/{resource}").json()["items"] == []
    assert len(ask("/api/clubs").json()["items"]) == 2


def test_a_place_that_is_the_servers_own_is_as_good_as_none(ask: Ask) -> None:
    made = ask("/api/clubs/1/papers", method="POST", json={}, by=ANN)

    assert (made.status_code, made.json()) == (201, {"id": 1, "club_id": 1})


TOO_MUCH: dict[str, tuple[str, str, Callable[[], Any], str]] = {
    "rows in rows": ("POST", "/api/clubs", lambda: {"notes": [{}] * 1000}, "too_many_rows"),
    "rows in many rows": (
        "POST",
        "/api/clubs",
        lambda: [{"notes": [{}] * 100}] * 10,
        "too_many_rows",
    ),
    "links of many rows": (
        "POST",
        "/api/clubs",
        lambda: [{"friends": [{"id": n} for n in range(1, 101)]}] * 101,
        "too_many_links",
    ),
    "links of whatever matches": (
        "PATCH",
        "/api/clubs?id__gte=1",
        lambda: {"friends": [{"id": n} for n in range(1, 12)]},
        "too_many_links",
    ),
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_one_request_writes_so_much_and_no_more(ask: Ask, case: str) -> None:
    method, path, body, code = TOO_MUCH[case]

    refused = ask(path, method=method, json=body(), headers={"prefer": "max-affected=1000"})

    assert (refused.status_code, refused.json()["code"]) == (413, code)
    assert len(ask("/api/clubs").json()["items"]) == 2


def test_links_of_many_rows_are_made_and_taken_away_together(ask: Ask) -> None:
    people = ask("/api/people", method="POST", json=[{}] * 98)
    clubs = ask("/api/clubs", method="POST", json=[{}] * 98)
    assert (people.status_code, clubs.status_code) == (201, 201)
    everybody = {"friends": [{"id": n} for n in range(1, 101)]}
    most = {"prefer": "max-affected=100"}

    linked = ask("/api/clubs?id__gte=1", method="PATCH", json=everybody, headers=most)
    one_less = {"friends": everybody["friends"][1:]}
    unlinked = ask("/api/clubs?id__lte=50", method="PATCH", json=one_less, headers=most)

    assert (linked.json(), unlinked.json()) == ({"affected": 100}, {"affected": 50})
    assert [
        ask(f"/api/clubs/{club}/friends?count=exact&limit=1").json()["total"]
        for club in (1, 50, 51)
    ] == [99, 99, 100]


def test_of_links_to_rows_that_are_not_there_all_are_named(ask: Ask) -> None:
    refused = ask(
        "/api/clubs/1", method="PATCH", json={"friends": [{"id": 1}, {"id": 98}, {"id": 99}]}
    )

    assert refused.status_code == 409
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/friends/1", "/friends/2"]
    assert ask("/api/clubs/1/friends").json()["items"] == []
