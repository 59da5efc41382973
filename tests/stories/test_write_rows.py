"""Rows are created, changed and deleted: what is answered, what is stored, what is refused."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates

from tilth import ExactDecimal, Policy, Tilth, public
from tilth.testing import actor_reader

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Size(enum.Enum):
    small = "S"
    large = "L"


class Shop(Base):
    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    items: Mapped[list[Item]] = relationship(back_populates="shop")


item_tag = Table(
    "item_tag",
    Base.metadata,
    Column("item_id", ForeignKey("item.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Item(Base):
    __tablename__ = "item"
    __table_args__ = (CheckConstraint("stock >= 0", name="stock_not_negative"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(10))
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(8, 2))
    size: Mapped[Size] = mapped_column(default=Size.small)
    stock: Mapped[int] = mapped_column(default=0)
    sold_on: Mapped[date | None]
    seen_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    shop_id: Mapped[int | None] = mapped_column(ForeignKey("shop.id"))
    shop: Mapped[Shop | None] = relationship(back_populates="items")
    tags: Mapped[list[Tag]] = relationship(secondary=item_tag, back_populates="items")
    parts: Mapped[list[Part]] = relationship(back_populates="item", cascade="all, delete-orphan")

    @validates("title")
    def check_title(self, key: str, value: str) -> str:
        if value == "cursed":
            raise ValueError("No shop sells that.")
        return value


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    items: Mapped[list[Item]] = relationship(secondary=item_tag, back_populates="tags")


class Part(Base):
    """Its key is made of two columns, both given by who creates it."""

    __tablename__ = "part"
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(String(20))
    item: Mapped[Item] = relationship(back_populates="parts")


class Box(Base):
    """Its lids are named after it, and are not deleted with it."""

    __tablename__ = "box"
    id: Mapped[int] = mapped_column(primary_key=True)
    lids: Mapped[list[Lid]] = relationship()


class Lid(Base):
    __tablename__ = "lid"
    box_id: Mapped[int] = mapped_column(ForeignKey("box.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Note(Base):
    """Nobody may change it, and it refers to a shop."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    shop: Mapped[Shop] = relationship()


ITEM: dict[str, Any] = {
    "id": 1,
    "title": "lamp",
    "price": "12.50",
    "size": "S",
    "stock": 3,
    "sold_on": None,
    "seen_at": "2026-01-31T12:00:00Z",
    "shop_id": 1,
}


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    shop = Shop(name="corner")
    # Keys are left to the database, whose sequence then goes on from there.
    fill(
        database_url,
        Base.metadata,
        [
            shop,
            Tag(name="new"),
            Tag(name="old"),
            Item(
                title="lamp",
                price=Decimal("12.50"),
                stock=3,
                seen_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
                shop=shop,
            ),
            Note(shop=Shop(name="mall")),
        ],
    )
    app = Tilth(database_url, readers=[actor_reader])
    for model in (Shop, Item, Tag, Part, Box, Lid):
        app.expose(model, Policy(read=public, write=public))
    app.expose(Note, Policy(read=public))
    return serve(app)


def new(ask: Ask, path: str, body: Any, **options: Any) -> Response:
    return ask(path, method="POST", json=body, **options)


def patch(ask: Ask, body: Any, path: str = "/api/items/1", **options: Any) -> Response:
    return ask(path, method="PATCH", json=body, **options)


def faults(answer: Response) -> dict[str, str]:
    """Pointer → code, of a refusal."""
    return {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}


def test_created_row_is_answered_as_a_get_answers_it(ask: Ask) -> None:
    created = new(ask, "/api/items", {"title": "chair", "price": "9.9", "size": "L"})

    assert created.status_code == 201
    read = ask(created.headers["location"])
    assert read.json() == created.json()
    assert read.headers["etag"] == created.headers["etag"]
    assert read.json() | {"id": 0} == {
        **dict.fromkeys(ITEM), "id": 0, "title": "chair", "price": "9.90", "size": "L", "stock": 0
    }  # fmt: skip


def test_patch_changes_what_it_names_and_nothing_else(ask: Ask) -> None:
    patched = patch(ask, {"price": "13", "sold_on": "2026-02-01"})

    assert patched.json() == ITEM | {"price": "13.00", "sold_on": "2026-02-01"}
    assert ask("/api/items/1").json() == patched.json()


def test_put_replaces_the_row(ask: Ask) -> None:
    put = ask("/api/items/1", method="PUT", json={"title": "sofa", "stock": 1})

    expected = {**dict.fromkeys(ITEM), "id": 1, "title": "sofa", "size": "S", "stock": 1}
    assert (put.status_code, put.json()) == (200, expected)
    assert ask("/api/items/1").json() == expected


def test_deleted_row_is_gone(ask: Ask) -> None:
    deleted = ask("/api/items/1", method="DELETE")

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert ask("/api/items/1").status_code == 404


def test_created_below_another_row_it_belongs_to_it(ask: Ask) -> None:
    created = new(ask, "/api/shops/2/items", {"title": "rug"})

    assert created.status_code == 201
    assert created.json()["shop_id"] == 2
    assert new(ask, "/api/shops/9/items", {"title": "rug"}).status_code == 404
    assert faults(new(ask, "/api/shops/2/items", {"title": "rug", "shop_id": 1})) == {
        "/shop_id": "conflict"
    }


def test_relation_is_written_by_the_key_of_its_row(ask: Ask) -> None:
    assert patch(ask, {"shop": {"id": 2}}).json()["shop_id"] == 2
    assert patch(ask, {"shop": None}).json()["shop_id"] is None
    assert patch(ask, {"title": "desk"}).json()["shop_id"] is None


def test_rows_below_are_created_with_the_row_above(ask: Ask) -> None:
    created = new(
        ask,
        "/api/shops",
        {"name": "fair", "items": [{"title": "kite"}, {"title": "ball", "tags": [{"id": 1}]}]},
    )

    where = created.headers["location"]
    items = ask(f"{where}/items?fields=title,tags.name&expand=tags").json()["items"]
    assert items == [{"title": "kite", "tags": []}, {"title": "ball", "tags": [{"name": "new"}]}]


def test_nothing_is_created_when_something_below_is_wrong(ask: Ask) -> None:
    refused = new(ask, "/api/shops", {"name": "fair", "items": [{"title": "kite"}, {"stock": -1}]})

    assert faults(refused) == {"/items/1/title": "required"}
    assert ask("/api/shops?name=fair").json()["items"] == []


def test_links_are_made_and_taken_away(ask: Ask) -> None:
    def tags() -> list[int]:
        return [tag["id"] for tag in ask("/api/items/1/tags").json()["items"]]

    answers = [ask(f"/api/items/1/tags/{key}", method="PUT").status_code for key in (1, 2, 1)]
    assert (answers, tags()) == ([204, 204, 204], [1, 2])
    answers = [ask("/api/items/1/tags/1", method="DELETE").status_code for _ in range(2)]
    assert (answers, tags()) == ([204, 204], [2])
    assert ask("/api/items/1/tags/9", method="PUT").status_code == 404


def test_patch_replaces_links_that_it_names_and_keeps_them_otherwise(ask: Ask) -> None:
    patch(ask, {"tags": [{"id": 1}, {"id": 2}]})
    patch(ask, {"title": "desk"})
    assert len(ask("/api/items/1/tags").json()["items"]) == 2

    patch(ask, {"tags": [{"id": 2}]})
    assert [tag["id"] for tag in ask("/api/items/1/tags").json()["items"]] == [2]


def test_key_of_several_parts_is_given_and_addressed(ask: Ask) -> None:
    created = new(ask, "/api/parts", {"item_id": 1, "number": 7, "name": "bulb"})

    assert created.headers["location"] == "/api/parts/1,7"
    assert patch(ask, {"name": "fuse"}, "/api/parts/1,7").json()["name"] == "fuse"
    assert faults(patch(ask, {"number": 8}, "/api/parts/1,7")) == {"/number": "key"}


REFUSED = {
    "every fault at once": (
        {"titel": "x", "title": 5, "price": "1.234", "size": "M", "stock": 1.5, "sold_on": "soon"},
        {
            "/titel": "unknown_field",
            "/title": "bad_value",
            "/price": "bad_value",
            "/size": "bad_value",
            "/stock": "bad_value",
            "/sold_on": "bad_value",
        },
    ),
    "too long": ({"title": "x" * 11}, {"/title": "bad_value"}),
    "null": ({"title": None}, {"/title": "null"}),
    "the key": ({"id": 9, "title": "x"}, {"/id": "key"}),
    "no digits to lose": ({"title": "x", "price": "1234567.00"}, {"/price": "bad_value"}),
    "32 bits": ({"title": "x", "stock": 2**31}, {"/stock": "bad_value"}),
    "NUL": ({"title": "a\0b"}, {"/title": "bad_value"}),
    "boolean is no number": ({"title": "x", "stock": True}, {"/stock": "bad_value"}),
    "a date is no moment": ({"title": "x", "seen_at": "2026-01-01"}, {"/seen_at": "bad_value"}),
    "the model's own validator": ({"title": "cursed"}, {"/title": "bad_value"}),
    "a rule of the database": ({"title": "x", "stock": -1}, {"/stock": "check"}),
    "a whole row for a key": ({"title": "x", "shop": {"name": "n"}}, {"/shop": "bad_value"}),
    "two answers": ({"title": "x", "shop_id": 1, "shop": {"id": 2}}, {"/shop": "conflict"}),
    "not an object": ("x", {"": "bad_value"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_422_for(ask: Ask, case: str) -> None:
    body, expected = REFUSED[case]

    refused = new(ask, "/api/items", body)

    assert (refused.status_code, faults(refused)) == (422, expected)
    assert len(ask("/api/items").json()["items"]) == 1


CONFLICTS = {
    "a name that is taken": ("/api/shops", {"name": "corner"}, {"/name": "unique"}),
    "a row that is not there": (
        "/api/items",
        {"title": "x", "shop_id": 9},
        {"/shop_id": "no_such_row"},
    ),
    "a link to nothing": (
        "/api/items",
        {"title": "x", "tags": [{"id": 1}, {"id": 9}]},
        {"/tags/1": "no_such_row"},
    ),
    "a key that is taken": (
        "/api/items",
        {"title": "x", "parts": [{"number": 1}, {"number": 1}]},
        {"/parts/1/item_id": "unique", "/parts/1/number": "unique"},
    ),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_409_for(ask: Ask, case: str) -> None:
    path, body, expected = CONFLICTS[case]

    refused = new(ask, path, body)

    assert (refused.status_code, faults(refused)) == (409, expected)
    assert len(ask("/api/items").json()["items"]) == 1


def test_row_that_others_need_is_not_deleted(ask: Ask) -> None:
    refused = ask("/api/shops/2", method="DELETE")

    assert (refused.status_code, refused.json()["code"]) == (409, "referenced")
    assert ask("/api/shops/2").status_code == 200


def test_row_that_is_part_of_other_rows_keys_is_not_deleted(ask: Ask) -> None:
    """The ORM itself refuses that, before the database is asked."""
    new(ask, "/api/boxes", {"lids": [{"number": 1}]})

    refused = ask("/api/boxes/1", method="DELETE")

    assert (refused.status_code, refused.json()["code"]) == (409, "referenced")
    assert ask("/api/boxes/1").status_code == 200


def test_change_of_another_version_is_refused_with_the_current_tag(ask: Ask) -> None:
    seen = ask("/api/items/1?fields=title").headers["etag"]
    assert patch(ask, {"stock": 4}, headers={"if-match": seen}).status_code == 200

    late = patch(ask, {"stock": 5}, headers={"if-match": seen})

    assert late.status_code == 412
    assert patch(ask, {"stock": 5}, headers={"if-match": late.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("condition", "status"), [('"x"', 412), ('W/"x"', 412), ("nonsense", 400), ("", 400)]
)
def test_condition_that_does_not_hold_is_412_and_one_that_is_none_400(
    ask: Ask, method: str, condition: str, status: int
) -> None:
    for header in ("if-match", "if-none-match") if status == 400 else ("if-match",):
        answer = ask(
            "/api/items/1", method=method, json={"title": "x"}, headers={header: condition}
        )

        assert answer.status_code == status
    assert ask("/api/items/1").json() == ITEM


def test_condition_of_any_version_holds_while_there_is_one(ask: Ask) -> None:
    anything = {"if-match": "*"}

    assert patch(ask, {"stock": 4}, headers=anything).status_code == 200
    assert patch(ask, {"stock": 4}, "/api/items/9", headers=anything).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_that_is_only_meant_for_no_row_is_412(ask: Ask, method: str) -> None:
    tag = ask("/api/items/1").headers["etag"]
    answers = [
        ask(path, method=method, json={"title": "x"}, headers={"if-none-match": unwanted})
        for path, unwanted in (
            ("/api/items/1", "*"),
            ("/api/items/1", f'"x", {tag}'),
            ("/api/items/9", "*"),
        )
    ]

    assert [answer.status_code for answer in answers] == [412, 412, 404]
    assert answers[0].headers["etag"].strip('"') == tag.strip('"').partition(".")[0]
    assert ask("/api/items/1").json() == ITEM
    other = {"if-none-match": '"x"'}
    assert ask("/api/items/1", method=method, json={"title": "x"}, headers=other).is_success


def test_a_new_row_is_met_with_no_version(ask: Ask) -> None:
    refused = new(ask, "/api/items", {"title": "x"}, headers={"if-match": "*"})

    assert (refused.status_code, len(ask("/api/items").json()["items"])) == (400, 1)


STRICT: dict[str, tuple[str, int]] = {
    "handling=strict": ("handling=strict", 201),
    "handling=strict, return=representation": ("return=representation, handling=strict", 201),
    "handling=strict, frobnicate": ("", 400),
    "handling=strict, return=everything": ("", 400),
    "handling=strict, max-affected=3": ("", 400),
    "handling=strict, max-affected=few": ("", 400),
    "handling=lenient, frobnicate": ("", 201),
    "return=representation": ("return=representation", 201),
    "dry-run=false": ("", 201),
    "dry-run=1": ("", 400),
    "respond-async=false": ("", 201),
}


@pytest.mark.parametrize("sent", STRICT)
def test_preferences_are_met_or_passed_over_or_refused(ask: Ask, sent: str) -> None:
    applied, status = STRICT[sent]

    answer = new(ask, "/api/items", {"title": "x"}, headers={"prefer": sent})

    assert answer.status_code == status, answer.text
    assert answer.headers.get("preference-applied", "") == applied
    assert len(ask("/api/items").json()["items"]) == (2 if status == 201 else 1)
    if status == 400:
        assert answer.json()["code"] == "preference_unmet"


def test_rehearsal_answers_and_keeps_nothing(ask: Ask) -> None:
    rehearsal = {"prefer": "dry-run"}

    patched = patch(ask, {"stock": 9}, headers=rehearsal)
    created = new(ask, "/api/items", {"title": "x"}, headers=rehearsal)
    refused = new(ask, "/api/shops", {"name": "corner"}, headers=rehearsal)

    assert (patched.status_code, patched.json()["body"]["stock"]) == (200, 9)
    assert (created.status_code, created.json()["status"], refused.status_code) == (200, 201, 409)
    assert created.json()["events"][0]["type"] == "item.created"
    assert patched.headers["preference-applied"] == "dry-run"
    assert ask("/api/items").json()["items"] == [ITEM]


def test_client_may_do_without_the_row(ask: Ask) -> None:
    brief = {"prefer": "return=minimal"}

    created = new(ask, "/api/items", {"title": "x"}, headers=brief)
    patched = patch(ask, {"stock": 9}, headers=brief)

    assert [(a.status_code, a.content) for a in (created, patched)] == [(201, b""), (204, b"")]
    assert ask(created.headers["location"]).headers["etag"] == created.headers["etag"]
    assert ask("/api/items/1").headers["etag"] == patched.headers["etag"]


UNREADABLE = {
    "text/plain": (b"title=x", 415),
    "application/x-www-form-urlencoded": (b"title=x", 415),
    "": (b'{"title": "x"}', 415),
    "application/json": (b'{"title": ', 400),
    "application/json; charset=utf-8": (b"", 400),
    "application/merge-patch+json": (b'{"stock": 1}', 415),
}


@pytest.mark.parametrize("media_type", UNREADABLE)
def test_body_that_is_not_read(ask: Ask, media_type: str) -> None:
    content, status = UNREADABLE[media_type]
    headers = {"content-type": media_type} if media_type else {}

    answer = ask("/api/items", method="POST", content=content, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_patch_is_a_merge_patch_by_name_too(ask: Ask) -> None:
    answer = ask(
        "/api/items/1",
        method="PATCH",
        content=b'{"stock": 8}',
        headers={"content-type": "application/merge-patch+json"},
    )

    assert answer.json()["stock"] == 8


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/items", "GET, HEAD, OPTIONS, POST, PATCH, DELETE"),
        ("/api/items/1", "GET, HEAD, OPTIONS, PUT, PATCH, DELETE"),
        ("/api/items/1/tags", "GET, HEAD, OPTIONS, POST"),
        ("/api/items/1/tags/1", "OPTIONS, PUT, DELETE"),
        ("/api/notes", "GET, HEAD, OPTIONS"),
        ("/api/notes/1", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_lists_what_may_be_done(ask: Ask, path: str, allowed: str) -> None:
    assert ask(path, method="OPTIONS").headers["allow"] == allowed


def test_what_no_policy_is_for_is_405(ask: Ask) -> None:
    answer = ask("/api/notes", method="POST", json={"shop_id": 1})

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
