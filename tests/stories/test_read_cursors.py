"""Pages by cursor: every row exactly once, forwards and backwards, whatever the order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, Numeric, String, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
)

from tilth import Actor, Policy, Tilth, public, role
from tilth.kernel.store.sync import sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]
Row = dict[str, Any]


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    height: Mapped[float | None]
    books: Mapped[list[Book]] = relationship(back_populates="shelf")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(String(8))
    author: Mapped[str] = mapped_column(String(8))
    pages: Mapped[int | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    weight: Mapped[float | None]
    bought: Mapped[date | None]
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")


# Longer than the column it is typed as: a value must not be cut to that length on its way.
Book.label = column_property(Book.author + Book.author)


class Seat(Base):
    __tablename__ = "seat"
    row: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    price: Mapped[int | None]


def library() -> list[Shelf | Book | Seat]:
    """Few different values, so that most of them tie, and a fifth of them NULL."""
    random = Random(7)

    def some(*values: Any) -> Any:
        return random.choice([None, *values])

    shelves = [Shelf(id=1, name="b", height=0.1), Shelf(id=2, name="a"), Shelf(id=3, height=2.5)]
    books = [
        Book(
            id=number,
            title=some("", "a", "B", "é", "😀"),
            author=random.choice(["abcdefgh", "abcdefgi"]),
            pages=some(-1, 0, 250),
            price=some(Decimal("0.10"), Decimal("9.90"), Decimal("10.00")),
            weight=some(0.1, 0.30000000000000004, 5e-324),
            bought=some(date(2020, 2, 29), date(1, 1, 1)),
            shelf_id=some(1, 2, 3),
        )
        for number in range(1, 61)
    ]
    seats = [Seat(row=row, number=n, price=some(1, 2)) for row in ("", "a,b", "Z") for n in (9, 10)]
    return [*shelves, *books, *seats]


@pytest.fixture(scope="module")
def ask(module_url: str, fill: Any, serve_for_module: Any) -> Ask:
    fill(module_url, Base.metadata, library())
    app = Tilth(module_url, readers=[actor_reader])
    app.expose(Shelf, Policy(read=public))
    app.expose(Book, Policy(read=public, fields={"author": role("editor") | (Book.id > 30)}))
    app.expose(Seat, Policy(read=public))
    served: Ask = serve_for_module(app)
    return served


def walk(ask: Ask, path: str, direction: str) -> Iterator[list[Row]]:
    """Pages from path on, following next or prev; a walk in circles is cut off."""
    address: str | None = path
    for _ in range(100):
        if address is None:
            return
        page = ask(address).json()
        yield page["items"]
        address = page[direction]


def in_order(rows: list[Row], sort: str, shelves: dict[int, Row]) -> list[Row]:
    """NULL is the largest value in both directions; sort is stable, so the last key goes first."""
    for name in reversed(sort.split(",")):
        path = name.removeprefix("-").split(".")

        def value(row: Row, path: list[str] = path) -> Any:
            holder = shelves.get(row["shelf_id"], {}) if path[:-1] else row
            found = holder.get(path[-1])
            return Decimal(found) if path[-1] == "price" and found is not None else found

        known = [row for row in rows if value(row) is not None]
        known.sort(key=value, reverse=name.startswith("-"))
        unknown = [row for row in rows if value(row) is None]
        rows = unknown + known if name.startswith("-") else known + unknown
    return rows


SORTS = [
    "id",
    "-id",
    "title",
    "-title",
    "-pages,title",
    "pages,-title",
    "price,-weight",
    "-price,-pages,-bought",
    "weight",
    "-bought,pages,-price,title",
    "author",
    "-author,pages",
    "label",
    "-label,-id",
    "shelf.name",
    "-shelf.height,-shelf.name,pages",
]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_hold_every_row_once_in_order_and_back(ask: Ask, sort: str) -> None:
    shelves = {row["id"]: row for row in ask("/api/shelves").json()["items"]}
    every = in_order(ask("/api/books?limit=200").json()["items"], sort, shelves)

    forwards = list(walk(ask, f"/api/books?sort={sort}&limit=7", "next"))
    last = ask(f"/api/books?sort={sort}&limit=7&offset=56").json()["items"]
    assert [row["id"] for page in forwards for row in page] == [row["id"] for row in every]

    address = f"/api/books?sort={sort}&limit=7"
    for _ in forwards[1:]:
        address = ask(address).json()["next"]
    backwards = list(walk(ask, address, "prev"))
    assert backwards[::-1] == forwards
    assert forwards[-1] == last


def test_sub_collection_has_pages_of_its_own(ask: Ask) -> None:
    every = ask("/api/books?shelf_id=1&sort=-pages&limit=200").json()["items"]

    pages = list(walk(ask, "/api/shelves/1/books?sort=-pages&limit=3", "next"))

    assert [row for page in pages for row in page] == every


def test_pages_by_composite_keys(ask: Ask) -> None:
    pages = list(walk(ask, "/api/seats?sort=-price&limit=1&fields=row,number,price", "next"))

    seats = [(row["price"], row["row"], row["number"]) for [row] in pages]
    assert seats == sorted(seats, key=lambda s: (s[0] is not None, -(s[0] or 0), s[1], s[2]))
    assert len(set(seats)) == 6


def test_first_page_has_no_previous_and_last_no_next(ask: Ask) -> None:
    first = ask("/api/seats?limit=3").json()
    last = ask(first["next"]).json()

    assert (first["prev"], last["next"]) == (None, None)
    assert ask(last["prev"]).json()["items"] == first["items"]


def test_page_keeps_what_does_not_change_its_rows(ask: Ask) -> None:
    """limit, fields, expand and count may change from one page to the next."""
    cursor = ask("/api/books?sort=title&limit=2").json()["next"].partition("cursor=")[2]

    page = ask(f"/api/books?sort=title&limit=5&fields=id&count=exact&cursor={cursor}").json()

    every = ask("/api/books?sort=title&fields=id&limit=7").json()["items"]
    assert (page["items"], page["total"]) == (every[2:], 60)


REFUSED = {
    "another sort": "/api/books?sort=-title&cursor={}",
    "another filter": "/api/books?sort=title&pages=250&cursor={}",
    "another search": "/api/books?sort=title&filter=pages%3D250&cursor={}",
    "another list": "/api/shelves?sort=name&cursor={}",
    "a sub-collection": "/api/shelves/1/books?sort=title&cursor={}",
    "an offset beside it": "/api/books?sort=title&offset=2&cursor={}",
    "a letter more": "/api/books?sort=title&cursor={}A",
    "padding": "/api/books?sort=title&cursor={}%3D",
    "nothing": "/api/books?sort=title&cursor=",
    "something else": "/api/books?sort=title&cursor=eyJpZCI6MX0",
    "too much": "/api/books?sort=title&cursor=" + "A" * 2001,
    "not ASCII": "/api/books?sort=title&cursor=%F0%9F%98%80",
}


@pytest.mark.parametrize("case", REFUSED)
def test_cursor_is_refused_with(ask: Ask, case: str) -> None:
    cursor = ask("/api/books?sort=title&limit=2").json()["next"].partition("cursor=")[2]

    refused = ask(REFUSED[case].format(cursor))

    pointer = "?offset" if case == "an offset beside it" else "?cursor"
    assert refused.status_code == 400
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]


def test_cursor_is_refused_with_any_letter_changed(ask: Ask) -> None:
    path = ask("/api/books?sort=title&limit=2&pages__isnull=false").json()["next"]
    head, _, cursor = path.partition("cursor=")

    changed = [
        f"{head}cursor={cursor[:at]}{'B' if letter == 'A' else 'A'}{cursor[at + 1 :]}"
        for at, letter in enumerate(cursor)
    ]

    assert {ask(address).status_code for address in changed} == {400}


def test_cursor_does_not_show_what_it_holds(ask: Ask) -> None:
    page = ask("/api/books?sort=author&limit=1").json()

    assert "abcdefgh" not in page["next"]
    assert len({len(page["next"]) for _ in range(3)}) == 1


def test_cursor_of_one_who_reads_less_works_for_one_who_reads_more(ask: Ask) -> None:
    """To most the author of the first books is null; editors see one, and no null is possible."""
    below = ask("/api/books?sort=-author&limit=20").json()["next"]
    above = ask("/api/books?sort=author&limit=45").json()["next"]

    for path in (below, above):
        answer = ask(path, by=Actor("7", roles=frozenset({"editor"})))
        assert answer.status_code == 200, answer.text


def test_rows_added_while_paging_neither_repeat_nor_hide_others(
    database_url: str, fill: Any, serve: Any
) -> None:
    fill(database_url, Base.metadata, [Seat(row="a", number=n, price=n) for n in range(10, 20)])
    app = Tilth(database_url)
    app.expose(Seat, Policy(read=public))
    ask = serve(app)
    first = ask("/api/seats?sort=price&limit=4").json()

    fill(database_url, Base.metadata, [Seat(row="b", number=n, price=n) for n in (5, 12, 15, 99)])
    rest = [row for page in walk(ask, first["next"], "next") for row in page]

    assert [row["price"] for row in rest] == [14, 15, 15, 16, 17, 18, 19, 99]
    back = [row for page in walk(ask, ask(first["next"]).json()["prev"], "prev") for row in page]
    assert sorted(row["price"] for row in back) == [5, 10, 11, 12, 12, 13]


def test_every_row_has_gone_from_under_a_cursor(database_url: str, fill: Any, serve: Any) -> None:
    fill(database_url, Base.metadata, [Seat(row="a", number=n) for n in range(3)])
    app = Tilth(database_url)
    app.expose(Seat, Policy(read=public))
    ask = serve(app)
    following = ask("/api/seats?limit=2").json()["next"]

    engine = sync_engine(database_url)
    with Session(engine) as session:
        for seat in session.scalars(select(Seat)):
            session.delete(seat)
        session.commit()
    engine.dispose()

    assert ask(following).json() == {"items": [], "next": None, "prev": None}


def test_value_too_long_for_a_cursor_is_passed_by_offset(
    database_url: str, fill: Any, serve: Any
) -> None:
    fill(database_url, Base.metadata, [Shelf(id=n, name="x" * 3000) for n in (1, 2, 3)])
    app = Tilth(database_url)
    app.expose(Shelf, Policy(read=public))
    ask = serve(app)

    pages = list(walk(ask, "/api/shelves?sort=name&limit=1&fields=id", "next"))

    assert pages == [[{"id": 1}], [{"id": 2}], [{"id": 3}]]


def test_page_without_a_way_back_still_leads_on(database_url: str, fill: Any, serve: Any) -> None:
    names = ["a", "b" * 3000, "c", "d"]
    fill(database_url, Base.metadata, [Shelf(id=n, name=name) for n, name in enumerate(names)])
    app = Tilth(database_url)
    app.expose(Shelf, Policy(read=public))
    ask = serve(app)

    first = ask("/api/shelves?sort=name&limit=1").json()
    second = ask(f"{first['next']}".replace("limit=1", "limit=2")).json()

    assert [row["id"] for row in second["items"]] == [1, 2]
    assert second["prev"] is None
    assert ask(second["next"]).json()["items"][0]["id"] == 3
