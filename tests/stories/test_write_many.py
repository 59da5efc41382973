"""Many rows in one request: created from a list, lines or a table; changed and deleted by filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import CheckConstraint, Engine, ForeignKey, String, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates

from tilth import Actor, ExactDecimal, Policy, Tilth, me, public, signed_in
from tilth.kernel.store.outbox import EVENTS
from tilth.kernel.store.sync import sync_engine
from tilth.settings import Settings, StoreSettings
from tilth.testing import actor_reader

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    books: Mapped[list[Book]] = relationship(back_populates="shelf")


class Book(Base):
    """Everybody reads the books that are nobody's, and their own; they change their own."""

    __tablename__ = "book"
    __table_args__ = (CheckConstraint("pages >= 0", name="pages_not_negative"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(20), unique=True)
    pages: Mapped[int] = mapped_column(default=1)
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(8, 2))
    lent: Mapped[bool | None]
    weight: Mapped[float | None]
    owner_id: Mapped[str | None] = mapped_column(String(20))
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf | None] = relationship(back_populates="books")

    @validates("title")
    def check_title(self, key: str, value: str) -> str:
        if value == "cursed":
            raise ValueError("Nobody prints that.")
        return value


class Loan(Base):
    """Refers to a book, and is changed by who knows its version only."""

    __tablename__ = "loan"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None] = mapped_column(unique=True)
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"))


class Part(Base):
    """Goes with the part that it belongs to."""

    __tablename__ = "part"
    id: Mapped[int] = mapped_column(primary_key=True)
    above_id: Mapped[int | None] = mapped_column(ForeignKey("part.id"))
    parts: Mapped[list[Part]] = relationship(cascade="all, delete-orphan")


ANN, BEN = Actor("ann"), Actor("ben")


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    books = [
        Book(title="atlas", pages=300, owner_id="ann"),
        Book(title="bible", pages=900, owner_id="ann"),
        Book(title="comic", pages=40, owner_id="ben"),
        Book(title="diary", pages=200),
    ]
    fill(database_url, Base.metadata, [Shelf(name="left"), *books])
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Shelf, Policy(read=public, write=signed_in))
    app.expose(
        Book,
        Policy(
            read=(Book.owner_id == me.id) | Book.owner_id.is_(None),
            write=Book.owner_id == me.id,
            preset={"owner_id": me.id},
        ),
        search=("title",),
    )
    app.expose(Loan, Policy(read=public, write=signed_in), require_if_match=True)
    app.expose(Part, Policy(read=public, write=public))
    return serve(app)


def send(
    ask: Ask, body: Any, path: str = "/api/books", by: Actor = ANN, **options: Any
) -> Response:
    """Text is CSV; anything else is JSON."""
    if isinstance(body, str):
        headers = {"content-type": "text/csv", **options.pop("headers", {})}
        return ask(path, method="POST", content=body.encode(), by=by, headers=headers, **options)
    return ask(path, method="POST", json=body, by=by, **options)


def change(ask: Ask, body: Any, query: str, most: int | None = 10, by: Actor = ANN) -> Response:
    """body: None to delete."""
    headers = {} if most is None else {"prefer": f"max-affected={most}"}
    sent = {} if body is None else {"json": body}
    method = "DELETE" if body is None else "PATCH"
    return ask(f"/api/books{query}", method=method, by=by, headers=headers, **sent)


def faults(answer: Response) -> dict[str, str]:
    return {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}


def titles(ask: Ask, by: Actor = ANN) -> list[str]:
    return [row["title"] for row in ask("/api/books?limit=200", by=by).json()["items"]]


def test_rows_of_a_list_are_created_in_their_order(ask: Ask) -> None:
    created = send(ask, [{"title": "x", "pages": 5}, {"title": "y", "shelf": {"id": 1}}])

    assert created.status_code == 201
    items = created.json()["items"]
    assert [(row["title"], row["pages"], row["shelf_id"]) for row in items] == [
        ("x", 5, None),
        ("y", 1, 1),
    ]
    assert [ask(f"/api/books/{row['id']}", by=ANN).json() for row in items] == items


def test_lines_of_json_are_rows(ask: Ask) -> None:
    lines = b'{"title": "x", "price": 1.10}\n\n{"title": "y"}\r\n'
    headers = {"content-type": "application/x-ndjson"}

    created = ask("/api/books", method="POST", content=lines, headers=headers, by=ANN)

    assert [row["price"] for row in created.json()["items"]] == ["1.10", None]


def test_table_that_was_read_can_be_sent(ask: Ask) -> None:
    send(ask, [{"title": 'a "b", c', "price": "1.50", "lent": True, "weight": 0.1}, {"title": ""}])
    chosen = "?filter=pages=1&fields=title,pages,price,lent,weight"
    read = ask(f"/api/books{chosen}", by=ANN, headers={"accept": "text/csv"}).text
    assert change(ask, None, "?pages=1").json() == {"affected": 2}

    created = send(ask, read)

    assert created.status_code == 201
    assert ask(f"/api/books{chosen}", by=ANN, headers={"accept": "text/csv"}).text == read


def test_empty_cell_is_null_where_there_may_be_one(ask: Ask) -> None:
    created = send(ask, "\ufefftitle,pages,lent\nx,,\n\ny,7,TRUE")

    items = created.json()["items"]
    assert [(row["pages"], row["lent"]) for row in items] == [(1, None), (7, True)]


def test_relation_is_no_column_of_a_table(ask: Ask) -> None:
    """Not even where its first cell is empty."""
    table = 'title,shelf\na,\nb,"{""id"":1}"\n'

    refused = send(ask, table)

    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/0/shelf"]


def test_rows_are_created_below_another(ask: Ask) -> None:
    created = send(ask, [{"title": "x"}, {"title": "y"}], "/api/shelves/1/books")
    table = send(ask, "title,pages\nz,7\n", "/api/shelves/1/books")

    assert [row["shelf_id"] for row in created.json()["items"]] == [1, 1]
    assert table.json()["items"][0]["pages"] == 7
    assert send(ask, [{"title": "a"}], "/api/shelves/9/books").status_code == 404


def test_rows_with_rows_below_them_are_created(ask: Ask) -> None:
    created = send(ask, [{"name": "a", "books": [{"title": "x"}]}, {"name": "b"}], "/api/shelves")

    assert created.status_code == 201
    assert titles(ask) == ["atlas", "bible", "diary", "x"]


REFUSED: dict[str, tuple[Any, int, dict[str, str]]] = {
    "every fault of every row": (
        [{"title": 1, "pages": "x"}, {"title": "y"}, 7, {"nope": 1}],
        422,
        {
            "/0/title": "bad_value",
            "/0/pages": "bad_value",
            "/2": "bad_value",
            "/3/nope": "unknown_field",
            "/3/title": "required",
        },
    ),
    "the model's own validators": (
        [{"title": "cursed"}, {"title": "x"}, {"title": "cursed"}],
        422,
        {"/0/title": "bad_value", "/2/title": "bad_value"},
    ),
    "a taken title": ([{"title": "x"}, {"title": "atlas"}], 409, {"/1/title": "unique"}),
    "a title that a hidden row has": (
        [{"title": "x"}, {"title": "comic"}],
        409,
        {"/1/title": "unique"},
    ),
    "one title twice": ([{"title": "x"}, {"title": "x"}], 409, {"/1/title": "unique"}),
    "a rule of the database": (
        [{"title": "x"}, {"title": "y", "pages": -1}],
        422,
        {"/1/pages": "check"},
    ),
    "a row that is not there": (
        [{"title": "x", "shelf_id": 1}, {"title": "y"}, {"title": "z", "shelf_id": 9}],
        409,
        {"/2/shelf_id": "no_such_row"},
    ),
    "somebody else's": ([{"title": "x", "owner_id": "ben"}], 422, {"/0/owner_id": "preset"}),
    "no rows": ([], 422, {"": "bad_value"}),
    "cells that do not fit": (
        "title,pages,lent,weight,nope\nx,a,b,c,1\ny,1.5,,NaN,2\n",
        422,
        {
            "/0/nope": "unknown_field",
            "/0/pages": "bad_value",
            "/0/lent": "bad_value",
            "/0/weight": "bad_value",
            "/1/pages": "bad_value",
            "/1/weight": "bad_value",
        },
    ),
    "a cell too many": ("title,pages\nx,1\ny,1,2\n", 400, {"/1": "bad_csv"}),
    "a name twice": ("title,title\nx,y\n", 400, {"": "bad_csv"}),
    "a quote that is not closed": ('title\n"x\n', 400, {"": "bad_csv"}),
    "a quote inside": ('title\na"b\n', 400, {"": "bad_csv"}),
    "nothing": ("", 400, {"": "bad_csv"}),
    "a header alone": ("title\n", 422, {"": "bad_value"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_row_is_created_when_one_is_refused_for(ask: Ask, case: str) -> None:
    body, status, expected = REFUSED[case]

    refused = send(ask, body)

    assert (refused.status_code, faults(refused)) == (status, expected)
    assert titles(ask) == ["atlas", "bible", "diary"]


def test_line_that_is_no_json_is_told(ask: Ask) -> None:
    headers = {"content-type": "application/x-ndjson"}

    refused = ask("/api/books", method="POST", content=b'{}\n{"a": NaN}', headers=headers, by=ANN)

    assert (refused.status_code, faults(refused)) == (400, {"/1": "json_invalid"})


@pytest.mark.parametrize("body", [[{"title": "x"}] * 1001, "title\n" + "x\n" * 1001])
def test_more_than_a_thousand_rows_are_413(ask: Ask, body: Any) -> None:
    refused = send(ask, body)

    assert (refused.status_code, refused.json()["code"]) == (413, "too_many_rows")


def test_lines_are_bounded_as_json_is(ask: Ask) -> None:
    headers = {"content-type": "application/x-ndjson"}
    content = b" " * (2 * 1024 * 1024)

    refused = ask("/api/books", method="POST", content=content, headers=headers, by=ANN)

    assert refused.status_code == 413


def test_creating_may_be_rehearsed_and_answered_briefly(ask: Ask) -> None:
    brief = send(ask, [{"title": "x"}, {"title": "y"}], headers={"prefer": "return=minimal"})
    rehearsed = send(ask, [{"title": "z"}, {"title": "w"}], headers={"prefer": "dry-run"})

    assert (brief.status_code, brief.content) == (201, b"")
    assert (rehearsed.status_code, len(rehearsed.json()["body"]["items"])) == (200, 2)
    assert titles(ask) == ["atlas", "bible", "diary", "x", "y"]


def test_rows_that_match_are_changed(ask: Ask) -> None:
    changed = change(ask, {"pages": 7, "shelf": {"id": 1}}, "?pages__gt=250")

    assert (changed.status_code, changed.json()) == (200, {"affected": 2})
    assert changed.headers["preference-applied"] == "max-affected=10"
    rows = ask("/api/books?sort=title", by=ANN).json()["items"]
    assert [(row["title"], row["pages"], row["shelf_id"]) for row in rows] == [
        ("atlas", 7, 1),
        ("bible", 7, 1),
        ("diary", 200, None),
    ]


def test_rows_that_match_are_deleted(ask: Ask) -> None:
    assert change(ask, None, '?filter=title="atlas" or title="comic"').json() == {"affected": 1}
    assert change(ask, None, "?q=bib").json() == {"affected": 1}
    assert change(ask, None, "?title=nothing").json() == {"affected": 0}

    assert (titles(ask), titles(ask, by=BEN)) == (["diary"], ["comic", "diary"])


CAREFUL: dict[str, tuple[Any, str, int | None, int, str]] = {
    "no filter": ({"pages": 1}, "", 10, 400, "filter_required"),
    "no bound": ({"pages": 1}, "?pages=1", None, 400, "max_affected_required"),
    "a bound above a thousand": (None, "?pages=1", 1001, 400, "max_affected_required"),
    "more rows": (None, "?owner_id=ann", 1, 409, "too_many_rows"),
    "a row one may only read": ({"pages": 1}, "?pages__gt=1", 10, 403, "forbidden"),
    "a row one may not delete": (None, "?pages__gt=1", 10, 403, "forbidden"),
    "a window": (None, "?pages=1&limit=1", 10, 400, "unknown_parameter"),
    "an unknown field": (None, "?page=1", 10, 400, "unknown_field"),
    "a bad body": ({"page": 1}, "?pages=300", 10, 422, "invalid"),
    "a preset": ({"owner_id": "ben"}, "?pages=300", 10, 422, "invalid"),
    "one value for all": ({"title": "x"}, "?owner_id=ann", 10, 409, "unique"),
    "a hidden reference": ({"shelf_id": 9}, "?owner_id=ann", 10, 409, "no_such_row"),
    "a validator": ({"title": "cursed"}, "?pages=300", 10, 422, "invalid"),
}


@pytest.mark.parametrize("case", CAREFUL)
def test_no_row_is_changed_with(ask: Ask, case: str) -> None:
    body, query, most, status, code = CAREFUL[case]
    before = ask("/api/books", by=ANN).json()

    refused = change(ask, body, query, most)

    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert ask("/api/books", by=ANN).json() == before


def test_nobody_changes_many_rows_of_versions_they_do_not_know(ask: Ask) -> None:
    careful = {"prefer": "max-affected=5"}

    unknown = ask("/api/loans?id=1", method="DELETE", by=ANN, headers=careful)
    named = ask("/api/books?id=1", method="DELETE", by=ANN, headers={**careful, "if-match": "*"})

    assert (unknown.status_code, named.status_code) == (428, 400)


def test_rows_that_others_need_are_not_deleted(ask: Ask) -> None:
    send(ask, {"book_id": 1}, "/api/loans")

    refused = change(ask, None, "?owner_id=ann")

    assert (refused.status_code, refused.json()["code"]) == (409, "referenced")
    assert titles(ask) == ["atlas", "bible", "diary"]


def test_row_that_goes_on_its_own_and_with_another_is_told_once(
    ask: Ask, database_url: str
) -> None:
    send(ask, {"parts": [{"parts": [{}]}, {}]}, "/api/parts")
    careful = {"prefer": "max-affected=9"}

    deleted = ask("/api/parts?id__in=1,2", method="DELETE", headers=careful)

    engine = sync_engine(database_url)
    gone = select(EVENTS.c.key).where(EVENTS.c.type == "part.deleted")
    with engine.connect() as connection:
        told = sorted(key for [[key]] in connection.execute(gone))
    engine.dispose()
    assert (deleted.json(), told) == ({"affected": 2}, ["1", "2", "3", "4"])


MERGE = {"prefer": "resolution=merge"}


def merge(ask: Ask, body: Any, on: str = "?on=title", by: Actor = ANN) -> Response:
    return send(ask, body, f"/api/books{on}", by, headers=MERGE)


def test_row_is_created_once_and_changed_then(ask: Ask) -> None:
    first = merge(ask, {"title": "x", "pages": 5})
    then = merge(ask, {"title": "x", "pages": 6})

    assert (first.status_code, then.status_code) == (201, 200)
    assert then.json() == first.json() | {"pages": 6}
    assert then.headers["preference-applied"] == "resolution=merge"
    assert ask(first.headers["location"], by=ANN).json() == then.json()


def test_list_is_merged_row_by_row(ask: Ask) -> None:
    mixed = merge(ask, [{"title": "x"}, {"title": "atlas", "pages": 1}, {"title": "x", "pages": 9}])
    again = merge(ask, "title,pages\natlas,2\n")

    assert (mixed.status_code, again.status_code) == (201, 200)
    assert [row["pages"] for row in mixed.json()["items"]] == [1, 1, 9]
    assert titles(ask) == ["atlas", "bible", "diary", "x"]


def test_a_merge_is_met_with_the_version_it_is_meant_for(ask: Ask) -> None:
    def merged(title: str, **headers: str) -> Response:
        return send(
            ask, {"title": title, "pages": 7}, "/api/books?on=title", headers={**MERGE, **headers}
        )

    tag = ask("/api/books/1", by=ANN).headers["etag"]
    refused = [
        merged("atlas", **{"if-match": '"x"'}),
        merged("atlas", **{"if-none-match": "*"}),
        merged("unheard of", **{"if-match": "*"}),
    ]

    assert [answer.status_code for answer in refused] == [412, 412, 412]
    assert titles(ask) == ["atlas", "bible", "diary"]
    assert ask("/api/books/1", by=ANN).json()["pages"] == 300
    assert merged("atlas", **{"if-match": tag}).status_code == 200
    assert merged("x", **{"if-none-match": "*"}).status_code == 201
    many = send(ask, [{"title": "y"}], "/api/books?on=title", headers={**MERGE, "if-match": "*"})
    assert many.status_code == 400


def test_a_merge_needs_the_version_where_changes_do(ask: Ask) -> None:
    def merged(**headers: str) -> Response:
        body = {"number": 1, "book_id": 1}
        return send(ask, body, "/api/loans?on=number", headers={**MERGE, **headers})

    made, blind = merged(), merged()

    assert (made.status_code, blind.status_code) == (201, 428)
    assert merged(**{"if-match": made.headers["etag"]}).status_code == 200
    in_a_list = send(ask, [{"number": 1, "book_id": 1}], "/api/loans?on=number", headers=MERGE)
    assert in_a_list.status_code == 428


def test_hidden_row_is_the_conflict_that_it_is_without_merging(ask: Ask) -> None:
    plain, merged = send(ask, {"title": "comic"}), merge(ask, {"title": "comic"})

    told = [{**answer.json(), "request_id": None} for answer in (plain, merged)]
    assert (merged.status_code, told[0]) == (409, told[1])


def test_row_that_may_not_be_changed_is_403(ask: Ask) -> None:
    assert merge(ask, {"title": "diary", "pages": 1}).status_code == 403


NOT_MERGED = {
    "nothing to tell rows apart by": ({"title": "x"}, "", 400, {"?on": "required"}),
    "a field that is not unique": ({"title": "x"}, "?on=pages", 400, {"?on": "not_unique"}),
    "too many fields": ({"title": "x"}, "?on=title,pages", 400, {"?on": "not_unique"}),
    "an unknown field": ({"title": "x"}, "?on=titel", 400, {"?on": "unknown_field"}),
    "another parameter": ({"title": "x"}, "?on=title&q=x", 400, {"?q": "unknown_parameter"}),
    "no value": ({"pages": 1}, "?on=title", 422, {"/title": "required"}),
    "rows without a value": ([{"pages": 1}], "?on=title", 422, {"/0/title": "required"}),
    "a key the server makes": ({"id": 1, "title": "x"}, "?on=id", 422, {"/id": "key"}),
}


@pytest.mark.parametrize("case", NOT_MERGED)
def test_nothing_is_merged_with(ask: Ask, case: str) -> None:
    body, on, status, expected = NOT_MERGED[case]

    refused = merge(ask, body, on)

    assert (refused.status_code, faults(refused)) == (status, expected)
    assert titles(ask) == ["atlas", "bible", "diary"]


def test_on_is_for_merging_only(ask: Ask) -> None:
    assert send(ask, {"title": "x"}, "/api/books?on=title").status_code == 400


def test_those_who_come_at_once_make_one_row(
    ask: Ask, database_url: str, serve: Callable[[Tilth], Ask]
) -> None:
    """Each on connections of its own."""

    def another() -> Ask:
        patient = replace(StoreSettings(), lock_seconds=60.0)
        settings = replace(Settings(), store=patient)
        app = Tilth(database_url, readers=[actor_reader], settings=settings)
        app.expose(Book, Policy(read=public, write=signed_in))
        return serve(app)

    clients = [another() for _ in range(8)]
    with ThreadPoolExecutor(len(clients)) as threads:
        for title in ("x", "y", "z"):
            asked = [threads.submit(merge, client, {"title": title}) for client in clients]
            statuses = sorted(each.result().status_code for each in asked)
            assert statuses == [200] * 7 + [201]


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Those of units of work, as they come."""
    seen: list[str] = []

    def see(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", see)
    yield seen
    event.remove(Engine, "before_cursor_execute", see)


def test_statements_do_not_grow_with_each_row(
    ask: Ask, statements: list[str], database_url: str
) -> None:
    """On SQLite, SQLAlchemy inserts rows one by one: it is no way to a server and back."""

    def told() -> int:
        by_row = "INSERT INTO book" if database_url.startswith("sqlite") else "nothing"
        return sum(not statement.startswith(by_row) for statement in statements)

    assert send(ask, [{"title": f"x{i}"} for i in range(2)]).status_code == 201
    few = told()
    assert send(ask, [{"title": f"y{i}"} for i in range(180)]).status_code == 201
    assert told() == 2 * few

    del statements[:]
    assert change(ask, {"pages": 5}, "?title__startswith=x").json() == {"affected": 2}
    few = told()
    assert change(ask, {"pages": 5}, "?title__startswith=y", 180).json() == {"affected": 180}
    assert told() == 2 * few
