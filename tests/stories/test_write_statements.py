"""How many SQL statements a change takes, between BEGIN and COMMIT."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, Engine, ForeignKey, Table, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, me
from tilth.testing import actor_reader

Ask = Callable[..., Response]
ANN = Actor("ann")


class Base(DeclarativeBase):
    pass


marks = Table(
    "marks",
    Base.metadata,
    Column("book_id", ForeignKey("book.id"), primary_key=True),
    Column("mark_id", ForeignKey("mark.id"), primary_key=True),
)


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]
    books: Mapped[list[Book]] = relationship(back_populates="shelf")


class Mark(Base):
    __tablename__ = "mark"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    owner: Mapped[str]
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")
    marks: Mapped[list[Mark]] = relationship(secondary=marks)


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(
        database_url,
        Base.metadata,
        [Shelf(owner="ann"), Mark(owner="ann"), Book(title="b", owner="ann")],
    )
    app = Tilth(database_url, readers=[actor_reader])
    for model in (Shelf, Mark, Book):
        app.expose(
            model,
            Policy(read=model.owner == me.id, write=model.owner == me.id, preset={"owner": me.id}),
        )
    ask = serve(app)
    # The first unit also opens the connection.
    ask("/api/books/1", method="PATCH", json={}, by=ANN)
    return ask


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of every synchronous engine meanwhile."""
    said: list[str] = []

    def count(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("BEGIN", "SET ")):
            said.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    yield said
    event.remove(Engine, "before_cursor_execute", count)


STATEMENTS: dict[str, tuple[str, str, Any, int]] = {
    "create": ("POST", "/api/books", {"title": "x"}, 3),
    "create with a reference": ("POST", "/api/books", {"title": "x", "shelf_id": 1}, 3),
    "create below": ("POST", "/api/shelves/1/books", {"title": "x"}, 4),
    "patch": ("PATCH", "/api/books/1", {"title": "x"}, 4),
    "patch with a reference": ("PATCH", "/api/books/1", {"shelf_id": 1}, 4),
    "patch that changes nothing": ("PATCH", "/api/books/1", {"title": "b"}, 1),
    "replace": ("PUT", "/api/books/1", {"title": "x"}, 4),
    "delete": ("DELETE", "/api/marks/1", None, 3),
    "refused": ("PATCH", "/api/books/9", {"title": "x"}, 1),
    "invalid": ("POST", "/api/books", {"title": 5}, 0),
    "two children": ("POST", "/api/shelves", {"books": [{"title": "x"}, {"title": "y"}]}, 7),
}


@pytest.mark.parametrize("case", STATEMENTS)
def test_statements_of(ask: Ask, case: str) -> None:
    method, path, body, most = STATEMENTS[case]

    with counted() as said:
        ask(path, method=method, json=body, by=ANN)

    assert len(said) == most, "\n".join(said)
