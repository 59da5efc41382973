"""Constraints that wait for the commit: asked at the end of a request, and told like the others.

On PostgreSQL alone: in SQLite no unique constraint waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Policy, Tilth, public

Ask = Callable[..., Response]
LATE: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}


class Base(DeclarativeBase):
    pass


class Lane(Base):
    __tablename__ = "lane"
    __table_args__ = (UniqueConstraint("place", **LATE),)
    id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int]
    note: Mapped[str | None] = mapped_column(String(20))
    coach: Mapped[int | None] = mapped_column(ForeignKey("coach.id", **LATE))


class Coach(Base):
    """Exposed to nobody."""

    __tablename__ = "coach"
    id: Mapped[int] = mapped_column(primary_key=True)


class Swimmer(Base):
    """Exposed to nobody, and refers."""

    __tablename__ = "swimmer"
    id: Mapped[int] = mapped_column(primary_key=True)
    lane_id: Mapped[int] = mapped_column(ForeignKey("lane.id", **LATE))


@pytest.fixture
def ask(postgres_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    rows = {
        Lane: [{"place": place} for place in (1, 2, 3)],
        Swimmer: [{"id": 1, "lane_id": 3}],
    }
    fill(postgres_url, Base.metadata, rows=rows)
    app = Tilth(postgres_url)
    app.expose(Lane, Policy(read=public, write=public))
    return serve(app)


def operations(*bodies: dict[str, Any]) -> dict[str, Any]:
    """A batch that changes lane 1, lane 2, and so on."""
    return {
        "operations": [
            {"method": "PATCH", "path": f"/api/lanes/{place}", "body": body}
            for place, body in enumerate(bodies, start=1)
        ]
    }


# What is asked → the code of the problem, and the pointers of its errors.
REFUSED: dict[str, tuple[str, str, Any, str, list[str]]] = {
    "one row": ("POST", "/api/lanes", {"place": 1}, "unique", ["/place"]),
    "a change": ("PATCH", "/api/lanes/2", {"place": 1}, "unique", ["/place"]),
    "many rows": ("POST", "/api/lanes", [{"place": 8}, {"place": 1}], "unique", []),
    "a batch": ("POST", "/api/batch", operations({"place": 9}, {"place": 9}), "unique", []),
    "a batch of many kinds": (
        "POST",
        "/api/batch",
        {
            "operations": [
                {"method": "DELETE", "path": "/api/lanes/2"},
                {"method": "POST", "path": "/api/lanes", "body": {"place": 1}},
            ]
        },
        "unique",
        ["/operations/1/body/place"],
    ),
    "a batch that says it once": (
        "POST",
        "/api/batch",
        operations({"place": 3}),
        "unique",
        ["/operations/0/body/place"],
    ),
    "a key": ("PATCH", "/api/lanes/1", {"coach": 7}, "no_such_row", ["/coach"]),
    "a deletion": ("DELETE", "/api/lanes/3", None, "referenced", []),
}


@pytest.mark.parametrize("prefer", ["", "dry-run"], ids=["done", "rehearsed"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_waits_is_told_by_field(ask: Ask, case: str, prefer: str) -> None:
    method, path, body, code, pointers = REFUSED[case]
    before = ask("/api/lanes").json()

    answer = ask(
        path, method=method, headers={"prefer": prefer}, **({"json": body} if body else {})
    )

    assert (answer.status_code, answer.json()["code"]) == (409, code), answer.text
    assert [each["pointer"] for each in answer.json().get("errors", [])] == pointers
    assert code != "unique" or "place" in answer.json()["detail"]
    assert ask("/api/lanes").json() == before


def test_values_may_change_places_in_a_batch(ask: Ask) -> None:
    answer = ask("/api/batch", method="POST", json=operations({"place": 2}, {"place": 1}))

    assert answer.status_code == 200, answer.text
    assert [each["place"] for each in ask("/api/lanes").json()["items"]] == [2, 1, 3]
