"""A relation to one row that holds the foreign key: written together with the row above, and not after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Policy, Tilth, public

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    profile: Mapped[Profile | None] = relationship(back_populates="person", uselist=False)


class Profile(Base):
    __tablename__ = "profile"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), unique=True)
    motto: Mapped[str] = mapped_column(String(20))
    person: Mapped[Person] = relationship(back_populates="profile")


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(database_url, Base.metadata)
    app = Tilth(database_url)
    app.expose(Person, Policy(read=public, write=public), name="people")
    app.expose(Profile, Policy(read=public, write=public))
    return serve(app)


@pytest.mark.parametrize(("sent", "stored"), [({"motto": "go"}, ["go"]), (None, [])])
def test_row_is_made_with_the_one_below_it(ask: Ask, sent: Any, stored: list[str]) -> None:
    made = ask("/api/people", method="POST", json={"profile": sent})

    assert made.status_code == 201
    profiles = ask("/api/profiles").json()["items"]
    assert [row["motto"] for row in profiles] == stored
    assert {row["person_id"] for row in profiles} <= {made.json()["id"]}
    assert ask("/api/people?expand=profile").json()["items"][0]["profile"] == (
        profiles[0] if stored else None
    )


REFUSED: dict[str, tuple[Any, str]] = {
    "a list": ([{"motto": "go"}], "/profile"),
    "a text": ("go", "/profile"),
    "nothing that is needed": ({}, "/profile/motto"),
    "another person": ({"motto": "go", "person_id": 7}, "/profile/person_id"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_made_with(ask: Ask, case: str) -> None:
    sent, pointer = REFUSED[case]

    refused = ask("/api/people", method="POST", json={"profile": sent})

    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]
    assert ask("/api/people").json()["items"] == []


def test_it_is_not_changed_from_above(ask: Ask) -> None:
    made = ask("/api/people", method="POST", json={}).headers["location"]

    refused = ask(made, method="PATCH", json={"profile": {"motto": "go"}})

    assert refused.json()["errors"][0]["code"] == "not_writable"


def test_document_says_so(ask: Ask) -> None:
    schemas = ask("/openapi.json").json()["components"]["schemas"]

    assert "array" not in str(schemas["PersonCreate"]["properties"]["profile"])
    assert schemas["ProfileCreateBelowPerson"]["required"] == ["motto"]
