"""What the database refuses of the developer's own changes is told as the API would tell it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Policy, Scope, SyncScope, Tilth, public

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(unique=True)


class Book(Base):
    __tablename__ = "book"
    __table_args__ = (CheckConstraint("pages > 0", name="has_pages"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(unique=True)
    code: Mapped[str | None] = mapped_column(unique=True)
    pages: Mapped[int] = mapped_column(default=1)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship()


class Slip(Base):
    """Not exposed."""

    __tablename__ = "slip"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)


REFUSED: dict[str, Callable[[], Any]] = {
    "unique": lambda: Book(title="Emma"),
    "hidden": lambda: Book(code="secret"),
    "check": lambda: Book(pages=0),
    "reference": lambda: Book(shelf_id=99),
    "unexposed": lambda: Slip(text="note"),
}


def library(url: str) -> Tilth:
    app = Tilth(url)
    app.expose(Shelf, Policy(read=public, write=public))
    app.expose(Book, Policy(read=public, write=public, hidden=("code",)))

    @app.post("/awaited/{name}")
    async def awaited(scope: Scope, name: str) -> None:
        scope.session.add(REFUSED[name]())
        await scope.session.flush()

    @app.post("/in-a-thread/{name}")
    def in_a_thread(scope: SyncScope, name: str) -> None:
        scope.session.add(REFUSED[name]())

    @app.post("/emptied")
    async def emptied(scope: Scope) -> None:
        shelf = await scope.session.get_one(Shelf, 1)
        await scope.session.delete(shelf)

    @app.post("/nameless")
    async def nameless(scope: Scope) -> None:
        (await scope.session.get_one(Shelf, 1)).label = None  # type: ignore[assignment]

    @app.post("/caught")
    async def caught(scope: Scope) -> str:
        try:
            async with scope.session.begin_nested():
                scope.session.add(Book(title="Emma"))
        except IntegrityError:
            return "there is one"
        return "new"

    return app


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    app = library(database_url)
    rows = [Book(title="Emma", code="secret", shelf=Shelf(label="A")), Slip(text="note")]
    fill(database_url, Base.metadata, rows)
    return serve(app)


def told(answer: Response) -> tuple[int, str, list[str]]:
    document = answer.json()
    return answer.status_code, document["code"], [e["pointer"] for e in document.get("errors", [])]


@pytest.mark.parametrize("way", ["awaited", "in-a-thread"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unique", (409, "unique", ["/title"])),
        ("hidden", (409, "unique", [""])),
        ("check", (422, "invalid", ["/pages"])),
        ("reference", (409, "no_such_row", ["/shelf_id"])),
        ("unexposed", (409, "check", [])),
    ],
)
def test_a_row_that_is_refused_names_its_fields(
    ask: Ask, way: str, name: str, expected: tuple[int, str, list[str]]
) -> None:
    assert told(ask(f"/{way}/{name}", method="POST")) == expected


def test_a_value_that_is_required_is_named(ask: Ask) -> None:
    assert told(ask("/nameless", method="POST")) == (422, "invalid", ["/label"])


def test_a_row_that_others_refer_to_is_not_deleted(ask: Ask) -> None:
    assert told(ask("/emptied", method="POST")) == (409, "referenced", [])


def test_the_error_of_sqlalchemy_can_be_caught_as_ever(ask: Ask) -> None:
    assert ask("/caught", method="POST").json() == "there is one"
