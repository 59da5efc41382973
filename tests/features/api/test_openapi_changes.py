"""What the document says of changes: as the policies allow, and as the API does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import jsonschema_rs
import pytest
from pydantic import Field as Limit
from schemathesis.specs.openapi import definitions
from sqlalchemy import Column, ForeignKey, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlmodel import Field, SQLModel
from starlette.testclient import TestClient

from tilth import Actor, ExactDecimal, Policy, Tilth, me, public, role, signed_in
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.testing import acting, actor_reader

Document = dict[str, Any]

ADMIN, USER = Actor("1", roles=frozenset({"admin"})), Actor("2")


class Base(DeclarativeBase):
    pass


item_tag = Table(
    "item_tag",
    Base.metadata,
    Column("item_id", ForeignKey("item.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Shop(Base):
    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    city: Mapped[str | None]
    items: Mapped[list[Item]] = relationship(back_populates="shop")


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(10), comment="On the label.")
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(8, 2))
    stock: Mapped[int] = mapped_column(default=0)
    seen_at: Mapped[datetime | None]
    owner_id: Mapped[str | None]
    made_by: Mapped[str | None]
    cost: Mapped[int | None]
    secret: Mapped[str | None]
    shop_id: Mapped[int] = mapped_column(ForeignKey("shop.id"))
    shop: Mapped[Shop] = relationship(back_populates="items")
    tags: Mapped[list[Tag]] = relationship(secondary=item_tag)


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Complaint(Base):
    """Anybody may complain, and nobody reads it."""

    __tablename__ = "complaint"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Person(SQLModel, table=True):
    metadata = MetaData()
    id: int | None = Field(default=None, primary_key=True)
    age: int | None = Field(default=None, ge=18, lt=100)
    code: Annotated[str, Limit(pattern="^[a-z]+$", min_length=2)]


@pytest.fixture
def client(sqlite_url: str) -> TestClient:
    engine = sync_engine(sqlite_url)
    create_missing_tables(engine, [Base.metadata, Person.metadata, OWN])
    engine.dispose()
    app = Tilth(
        sqlite_url,
        readers=[actor_reader],
        schemes={"test": {"type": "apiKey", "in": "header", "name": "x-test-actor"}},
    )
    app.expose(Shop, Policy(read=public, write=role("admin")), require_if_match=True)
    app.expose(
        Item,
        Policy(
            read=public,
            create=signed_in,
            update=Item.owner_id == me.id,
            delete=role("admin"),
            hidden=("secret",),
            read_only=("cost",),
            write_once=("made_by",),
            preset={"owner_id": me.id},
        ),
    )
    app.expose(Tag, Policy(read=public))
    app.expose(Complaint, Policy(create=public))
    app.expose(Person, Policy(read=public, write=public))
    return TestClient(app)


@pytest.fixture
def document_for(client: TestClient) -> Callable[[Actor | None], Document]:
    def document_for(actor: Actor | None) -> Document:
        found: Document = client.get("/openapi.json", headers=acting(actor) if actor else {}).json()
        return found

    return document_for


Get = Callable[[Actor | None], Document]


def methods(document: Document, path: str) -> set[str]:
    return set(document["paths"].get(path, {})) - {"get", "head", "options"}


def body(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def is_valid(document: Document, name: str, value: object) -> bool:
    whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema_rs.is_valid(whole, value)


def test_each_caller_finds_what_they_may_do(document_for: Get) -> None:
    admin, user, anyone = map(document_for, (ADMIN, USER, None))

    assert [methods(d, "/api/shops") for d in (admin, user, anyone)] == [
        {"post"},
        set(),
        set(),
    ]
    assert methods(admin, "/api/shops/{key}") == {"put", "patch", "delete"}
    assert [methods(d, "/api/items") for d in (admin, user, anyone)] == [
        {"post", "patch", "delete"},
        {"post", "patch"},
        set(),
    ]
    assert methods(admin, "/api/items/{key}") == {"put", "patch", "delete"}
    assert methods(user, "/api/items/{key}") == {"put", "patch"}
    assert methods(user, "/api/shops/{key}/items") == {"post"}
    assert methods(user, "/api/items/{key}/tags/{other}") == {"put", "delete"}
    assert methods(user, "/api/tags") == methods(user, "/api/items/{key}/tags") == set()


def test_what_may_be_added_and_not_read_has_post_alone(document_for: Get) -> None:
    document = document_for(None)

    assert list(document["paths"]["/api/complaints"]) == ["post"]
    assert "content" not in document["paths"]["/api/complaints"]["post"]["responses"]["201"]
    assert "Complaint" not in document["components"]["schemas"]


def test_bodies_have_what_may_be_given(document_for: Get) -> None:
    document = document_for(USER)

    assert list(body(document, "ItemCreate")["properties"]) == [
        "title", "price", "stock", "seen_at", "made_by", "shop_id", "shop", "tags"
    ]  # fmt: skip
    assert "made_by" not in body(document, "ItemPatch")["properties"]
    assert body(document, "ItemCreate")["required"] == ["title"]
    assert body(document, "ItemReplace")["required"] == ["title"]
    assert "required" not in body(document, "ItemPatch")
    assert body(document, "ItemCreate")["properties"]["title"] == {
        "type": "string",
        "maxLength": 10,
        "not": {"type": "string", "pattern": "\\u0000"},
        "description": "On the label.",
    }


CREATIONS: list[tuple[dict[str, Any], bool]] = [
    ({"title": "x", "shop_id": 1}, True),
    ({"title": "x", "shop": {"id": 1}}, True),
    ({"title": "x"}, False),
    ({"shop_id": 1}, False),
    ({"title": "x", "shop": None}, False),
    ({"title": "x", "shop": {"id": 1, "name": "y"}}, False),
    ({"title": "x" * 11, "shop_id": 1}, False),
    ({"title": "a\0", "shop_id": 1}, False),
    ({"title": None, "shop_id": 1}, False),
    ({"title": "x", "shop_id": 1, "stock": 2**31}, False),
    ({"title": "x", "shop_id": 1, "stock": 1.0}, True),
    ({"title": "x", "shop_id": 1, "stock": None}, False),
    ({"title": "x", "shop_id": 1, "price": "123456.7"}, True),
    ({"title": "x", "shop_id": 1, "price": 1.25}, True),
    ({"title": "x", "shop_id": 1, "price": None}, True),
    ({"title": "x", "shop_id": 1, "price": "1234567"}, False),
    ({"title": "x", "shop_id": 1, "price": "1.234"}, False),
    ({"title": "x", "shop_id": 1, "price": 1.234}, False),
    ({"title": "x", "shop_id": 1, "tags": [{"id": 1}]}, True),
    ({"title": "x", "shop_id": 1, "tags": [1]}, False),
    ({"title": "x", "shop_id": 1, "tags": [{"id": 1}] * 101}, False),
    ({"title": "x", "shop_id": 1, "owner_id": "2"}, False),
    ({"title": "x", "shop_id": 1, "cost": 1}, False),
    ({"title": "x", "shop_id": 1, "id": 1}, False),
    ({"title": "x", "shop_id": 1, "titel": 1}, False),
]


@pytest.mark.parametrize(("item", "expected"), CREATIONS)
def test_schema_and_api_agree(
    client: TestClient, document_for: Get, item: dict[str, Any], *, expected: bool
) -> None:
    """A reference to a row that is not there is a 409: the body itself is right."""
    answer = client.post("/api/items", json=item, headers=acting(USER))

    assert is_valid(document_for(USER), "ItemCreate", item) is expected
    assert answer.status_code == (409 if expected else 422)


def test_rows_below_leave_out_what_follows_from_the_row_above(document_for: Get) -> None:
    admin = document_for(ADMIN)

    assert is_valid(admin, "ShopCreate", {"name": "x", "items": [{"title": "y"}]})
    assert not is_valid(admin, "ShopCreate", {"name": "x", "items": [{"title": "y", "shop_id": 1}]})
    assert "items" not in body(admin, "ShopPatch")["properties"]


def test_a_body_to_start_from_is_one_that_is_taken(client: TestClient, document_for: Get) -> None:
    admin = document_for(ADMIN)
    [shop], [item] = (body(admin, name)["examples"] for name in ("ShopCreate", "ItemCreate"))

    assert shop == {"name": "text", "city": "text"}
    assert client.post("/api/shops", json=shop, headers=acting(ADMIN)).status_code == 201
    assert client.post("/api/items", json=item, headers=acting(ADMIN)).status_code == 201
    assert "examples" not in body(admin, "PersonCreate")


def test_constraints_of_a_model_are_told(document_for: Get) -> None:
    properties = body(document_for(None), "PersonCreate")["properties"]

    assert properties["age"] == {
        "type": ["integer", "null"],
        "minimum": 18,
        "exclusiveMaximum": 100,
        "maximum": 2**31 - 1,
    }
    assert (properties["code"]["pattern"], properties["code"]["minLength"]) == ("^[a-z]+$", 2)


def test_patch_is_a_merge_patch(document_for: Get) -> None:
    operation = document_for(USER)["paths"]["/api/items/{key}"]["patch"]

    assert list(operation["requestBody"]["content"]) == [
        "application/merge-patch+json",
        "application/json",
    ]


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/api/items", "post", "200 201 202 204 400 401 403 406 409 413 415 422 429 503"),
        ("/api/items", "patch", "200 202 204 400 401 403 406 409 413 415 422 429 503"),
        ("/api/batch", "post", "200 202 400 401 403 404 405 406 409 412 413 415 422 428 429 503"),
        (
            "/api/items/{key}",
            "patch",
            "200 202 204 400 401 403 404 406 409 412 413 415 422 429 503",
        ),
        ("/api/items/{key}", "delete", "200 202 204 400 401 403 404 406 409 412 422 429 503"),
        ("/api/shops/{key}", "delete", "200 202 204 400 401 403 404 406 409 412 422 428 429 503"),
        (
            "/api/shops/{key}/items",
            "post",
            "200 201 202 400 401 403 404 406 409 413 415 422 429 503",
        ),
        (
            "/api/items/{key}/tags/{other}",
            "put",
            "200 202 204 400 401 403 404 406 409 412 422 429 503",
        ),
    ],
)
def test_every_answer_there_can_be(
    document_for: Get, path: str, method: str, statuses: str
) -> None:
    assert " ".join(document_for(ADMIN)["paths"][path][method]["responses"]) == statuses


def test_a_condition_is_demanded_where_the_resource_demands_it(document_for: Get) -> None:
    paths = document_for(ADMIN)["paths"]

    demanded = paths["/api/shops/{key}"]["patch"]["parameters"][1]
    assert (demanded["name"], demanded["required"]) == ("If-Match", True)
    assert "428" not in paths["/api/items/{key}"]["patch"]["responses"]


def test_who_has_to_sign_in(document_for: Get) -> None:
    paths = document_for(USER)["paths"]

    assert paths["/api/items"]["get"]["security"] == [{}, {"test": []}]
    assert paths["/api/items"]["post"]["security"] == [{"test": []}]
    assert paths["/api/complaints"]["post"]["security"] == [{}, {"test": []}]


def test_links_lead_from_a_new_row_to_all_that_can_be_done_with_it(
    client: TestClient, document_for: Get
) -> None:
    """Each link is followed as it is written."""
    paths = document_for(ADMIN)["paths"]
    links = paths["/api/shops"]["post"]["responses"]["201"]["links"]
    assert list(links) == [
        "get_shop", "list_shops_items", "replace_shop", "update_shop", "delete_shop"
    ]  # fmt: skip
    places = {
        operation["operationId"]: (method, path)
        for path, item in paths.items()
        for method, operation in item.items()
    }
    for name, link in links.items():
        created = client.post("/api/shops", json={"name": "x"}, headers=acting(ADMIN))
        known = {
            "$response.body#/id": created.json()["id"],
            "$response.header.ETag": created.headers["etag"],
        }
        given = {
            parameter: known[expression] for parameter, expression in link["parameters"].items()
        }
        method, path = places[name]
        headers = acting(ADMIN) | {h: v for h, v in given.items() if h == "If-Match"}
        content = {"json": {"name": "y"}} if method in ("put", "patch") else {}

        answer = client.request(method, path.format(key=given["key"]), headers=headers, **content)

        assert answer.status_code == (204 if method == "delete" else 200)


def test_the_document_is_openapi_3_1(document_for: Get) -> None:
    for actor in (ADMIN, USER, None):
        assert list(definitions.OPENAPI_31_VALIDATOR.iter_errors(document_for(actor))) == []


def test_operation_ids_are_unique(document_for: Get) -> None:
    items = document_for(ADMIN)["paths"].values()

    ids = [operation["operationId"] for item in items for operation in item.values()]
    assert len(ids) == len(set(ids))
