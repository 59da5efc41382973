"""A field that all may read is written by some only, whichever way leads to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, WritePlan, public, signed_in
from tilth.errors import Fault, invalid
from tilth.testing import actor_reader

Ask = Callable[..., Response]

ANN = Actor("ann")
EDITOR = Actor("eve", roles=frozenset({"editor"}))
MERGE = {"prefer": "resolution=merge"}
CAREFUL = {"prefer": "max-affected=9"}


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    goods: Mapped[list[Article]] = relationship(back_populates="shelf")


class Article(Base):
    __tablename__ = "article"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(9), unique=True)
    price: Mapped[int | None]
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="goods")


def by_editors(plan: WritePlan) -> WritePlan:
    if "price" in plan.values and "editor" not in plan.actor.roles:
        raise invalid([Fault("/price", "not_writable", "Is written by editors.")])
    return plan


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    """Shelf 1 has article 1, "a", for 5."""
    fill(database_url, Base.metadata)
    app = Tilth(database_url, readers=[actor_reader])
    policy = Policy(read=public, write=signed_in)
    app.expose(Shelf, policy)
    app.expose(Article, policy, before=[by_editors])
    asking = serve(app)
    shelf = {"goods": [{"code": "a", "price": 5}]}
    assert asking("/api/shelves", method="POST", json=shelf, by=EDITOR).status_code == 201
    return asking


def operation(method: str, path: str, body: Any) -> dict[str, Any]:
    return {"operations": [{"method": method, "path": path, "body": body}]}


PRICED = {"code": "b", "price": 1}
ONE = "/api/articles/1"
WAYS: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "POST": ("POST", "/api/articles", PRICED, {}),
    "null": ("PATCH", ONE, {"price": None}, {}),
    "PUT": ("PUT", ONE, {"code": "a", "price": 1}, {}),
    "PUT without": ("PUT", ONE, {"code": "a"}, {}),
    "PATCH": ("PATCH", ONE, {"price": 1}, {}),
    "list": ("POST", "/api/articles", [{"code": "c"}, PRICED], {}),
    "below a row": ("POST", "/api/shelves/1/goods", PRICED, {}),
    "with a row": ("POST", "/api/shelves", {"goods": [PRICED]}, {}),
    "by filter": ("PATCH", "/api/articles?code=a", {"price": 1}, CAREFUL),
    "batch": ("POST", "/api/batch", operation("PATCH", ONE, {"price": 1}), {}),
    "batch that creates": ("POST", "/api/batch", operation("POST", "/api/articles", PRICED), {}),
    "merge": ("POST", "/api/articles?on=code", {"code": "a", "price": 1}, MERGE),
    "merge that creates": ("POST", "/api/articles?on=code", PRICED, MERGE),
}


def rows(ask: Ask) -> list[tuple[str, int | None]]:
    return [(row["code"], row["price"]) for row in ask("/api/articles").json()["items"]]


@pytest.mark.parametrize("way", WAYS)
def test_field_is_written_by_those_with_the_role_only(ask: Ask, way: str) -> None:
    method, path, body, headers = WAYS[way]

    refused = ask(path, method=method, json=body, headers=headers, by=ANN)

    assert (refused.status_code, rows(ask)) == (422, [("a", 5)]), refused.text
    assert "/price" in refused.text
    allowed = ask(path, method=method, json=body, headers=headers, by=EDITOR)
    assert (allowed.is_success, rows(ask) != [("a", 5)]) == (True, True), allowed.text


def test_everybody_writes_the_other_fields(ask: Ask) -> None:
    created = ask("/api/articles", method="POST", json={"code": "b"}, by=ANN)
    changed = ask(ONE, method="PATCH", json={"code": "z"}, by=ANN)

    assert (created.status_code, changed.status_code) == (201, 200)
    assert rows(ask) == [("z", 5), ("b", None)]
