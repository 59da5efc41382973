"""Columns whose types are special: on one database only, of the developer's own, loaded late, or made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import (
    JSON,
    REAL,
    Column,
    DateTime,
    Integer,
    Numeric,
    String,
    Text,
    Time,
    TypeDecorator,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, CIDR, INET, INT4RANGE, MACADDR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel

from tilth import Policy, Tilth, Upkeep, WritePlan, public
from tilth.kernel.store.sync import sync_engine

Ask = Callable[..., Response]


@dataclass
class Settings:
    """What the developer's code makes of a JSON object."""

    held: dict[str, Any]


class SettingsType(TypeDecorator[Settings]):
    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value.held if isinstance(value, Settings) else value

    def process_result_value(self, value: Any, dialect: Any) -> Settings | None:
        return None if value is None else Settings(value)


class Base(DeclarativeBase):
    pass


TEXT = {"tilth_kind": "text"}


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list[str] | None] = mapped_column(
        JSON().with_variant(ARRAY(String(3)), "postgresql")
    )
    settings: Mapped[Any] = mapped_column(SettingsType, nullable=True, info={"tilth_kind": "json"})
    data: Mapped[Any] = mapped_column(JSON, nullable=True)
    listed: Mapped[Any] = mapped_column(JSON, nullable=True, default=list)
    late: Mapped[str | None] = mapped_column(String(20), deferred=True, deferred_raiseload=True)


class Place(Base):
    """Values that are equal in JSON, and that the driver reads as objects of its own, or rounded."""

    __tablename__ = "place"
    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[Any] = mapped_column(Text().with_variant(INET, "postgresql"), info=TEXT)
    network: Mapped[Any] = mapped_column(Text().with_variant(CIDR, "postgresql"), info=TEXT)
    card: Mapped[Any] = mapped_column(Text().with_variant(MACADDR, "postgresql"), info=TEXT)
    span: Mapped[Any] = mapped_column(Text().with_variant(INT4RANGE, "postgresql"), info=TEXT)
    ratio: Mapped[float] = mapped_column(REAL)
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    places: Mapped[Any] = mapped_column(
        JSON().with_variant(ARRAY(Integer, as_tuple=True), "postgresql")
    )
    changed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


PLACE = {
    "address": "10.0.0.1/32",
    "network": "10.0.0.0/8",
    "card": "08:00:2b:01:02:03",
    "span": "[1,5)",
    "ratio": 0.1,
    "price": "1.50",
    "places": [1, 2],
}


class ByHand(SQLModel, table=True):
    """Its columns do not know of its defaults."""

    __tablename__ = "by_hand"
    metadata = Base.metadata
    id: int | None = Field(default=None, primary_key=True)
    size: int | None = Field(default=4, sa_column=Column(Integer))
    words: list[str] = Field(default=["a"], sa_column=Column(JSON, nullable=False))


class Asked(SQLModel, table=True):
    """Wants what its columns do not need."""

    __tablename__ = "asked"
    metadata = Base.metadata
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_column=Column(String(20)))
    size: int | None = Field(sa_column=Column(Integer))
    count: int = Field(default=4, sa_column=Column(Integer))


def lower(plan: WritePlan) -> WritePlan:
    """Alters what was sent, be it a whole value or a patch of one."""
    data = plan.values.get("data")
    if not isinstance(data, dict):
        return plan
    return plan.with_values(data={name.lower(): value for name, value in data.items()})


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(database_url, Base.metadata)
    app = Tilth(database_url)
    app.expose(Thing, Policy(read=public, write=public), before=[lower])
    app.expose(ByHand, Policy(read=public, write=public), name="by-hand")
    app.expose(Asked, Policy(read=public, write=public), name="asked")
    app.expose(Place, Policy(read=public, write=public), upkeep=Upkeep(updated_at="changed_at"))
    return serve(app)


def test_list_of_a_variant_is_written(ask: Ask) -> None:
    made = ask("/api/things", method="POST", json={"tags": ["a", "abc"]})

    assert (made.status_code, made.json()["tags"]) == (201, ["a", "abc"])


def test_text_in_a_list_is_as_long_as_one_of_its_own_may_be(ask: Ask, database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has no arrays: JSON says nothing of lengths.")

    refused = ask("/api/things", method="POST", json={"tags": ["toolong"]})

    assert refused.status_code == 422
    assert ask("/api/things").json()["items"] == []


def test_patch_is_merged_into_what_is_stored_and_not_what_is_made_of_it(ask: Ask) -> None:
    row = ask("/api/things", method="POST", json={"settings": {"a": 1, "b": 2}})

    patched = ask(row.headers["location"], method="PATCH", json={"settings": {"b": None, "c": 3}})

    assert patched.json()["settings"] == {"a": 1, "c": 3}


def test_function_before_a_patch_alters_the_patch(ask: Ask) -> None:
    row = ask("/api/things", method="POST", json={"data": {"A": 1, "B": 2}})

    patched = ask(row.headers["location"], method="PATCH", json={"data": {"A": None, "C": 3}})

    assert row.json()["data"] == {"a": 1, "b": 2}
    assert patched.json()["data"] == {"b": 2, "c": 3}


def test_field_that_is_not_loaded_can_be_changed(ask: Ask) -> None:
    path = ask("/api/things", method="POST", json={"late": "a"}).headers["location"]

    changed = [
        ask(path, method="PATCH", json={"late": "b"}),
        ask(path, method="PUT", json={"late": "c", "listed": []}),
        ask(
            "/api/things?id=1",
            method="PATCH",
            json={"late": "d"},
            headers={"prefer": "max-affected=1"},
        ),
    ]

    assert [each.status_code for each in changed] == [200, 200, 200]
    assert ask(path).json()["late"] == "d"


def test_default_of_a_class_is_restored_as_that_of_a_column(ask: Ask) -> None:
    made = ask("/api/by-hand", method="POST", json={})
    path = made.headers["location"]
    ask(path, method="PATCH", json={"size": 9, "words": ["b"]})

    assert ask(path, method="PUT", json={}).json() == made.json()
    assert made.json() | {"id": 1} == {"id": 1, "size": 4, "words": ["a"]}


def test_offset_that_a_database_loses_is_a_warning(database_url: str) -> None:
    class Other(DeclarativeBase):
        pass

    class Bell(Other):
        __tablename__ = "bell"
        id: Mapped[int] = mapped_column(primary_key=True)
        rings: Mapped[Any] = mapped_column(Time(timezone=True))

    app = Tilth(database_url)
    app.expose(Bell, Policy(read=public))

    codes = [each.code for each in app.check()]

    assert ("schema.lost_offset" in codes) is database_url.startswith("sqlite")


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_same_value_is_no_change_whatever_the_driver_makes_of_it(ask: Ask, method: str) -> None:
    made = ask("/api/places", method="POST", json=PLACE)
    path = made.headers["location"]

    again = ask(path, method=method, json=PLACE)
    other = ask(path, method=method, json={**PLACE, "span": "[1,6)", "ratio": 0.25})

    assert made.json() | PLACE == made.json()
    assert again.json() == made.json()
    assert (other.json()["span"], other.json()["ratio"]) == ("[1,6)", 0.25)
    assert other.json()["changed_at"] is not None


NULLS: dict[str, Any] = {
    "not given": {},
    "given": {"data": None, "settings": None, "listed": None},
    "one of many": [{"data": None, "listed": None}, {"data": 1, "settings": {}}],
}


def nulls_in(url: str, *names: str) -> list[int]:
    """Of which rows the database itself says that all of these are NULL, not the null of JSON."""
    table = Thing.__table__
    engine = sync_engine(url)
    with engine.connect() as connection:
        is_null = [table.c[name].cast(Text).is_(None) for name in names]
        found = list(connection.execute(select(table.c.id).where(*is_null)).scalars())
    engine.dispose()
    return found


@pytest.mark.parametrize("body", NULLS.values(), ids=list(NULLS))
def test_null_for_a_field_of_json_is_null_to_the_database(
    ask: Ask, database_url: str, body: Any
) -> None:
    assert ask("/api/things", method="POST", json=body).status_code == 201

    assert nulls_in(database_url, "data", "settings") == [1]
    assert ask("/api/things/1").json()["listed"] == ([] if body == {} else None)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_field_of_json_that_is_set_to_null_is_null_to_the_database(
    ask: Ask, database_url: str, method: str
) -> None:
    values = {"data": {"a": 1}, "settings": {"b": 2}, "listed": [3]}
    path = ask("/api/things", method="POST", json=values).headers["location"]

    changed = ask(path, method=method, json=dict.fromkeys(values))

    assert changed.json() | dict.fromkeys(values) == changed.json()
    assert nulls_in(database_url, *values) == [1]


ASKED: dict[str, tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = {
    "nothing": ("POST", "/api/asked", {}, [("/name", "required"), ("/size", "required")]),
    "null": ("POST", "/api/asked", {"name": None, "size": None}, [("/name", "null")]),
    "null for a default": (
        "POST",
        "/api/asked",
        {"name": "a", "size": 1, "count": None},
        [("/count", "null")],
    ),
    "changed to null": ("PATCH", "/api/asked/1", {"name": None}, [("/name", "null")]),
    "not all of it": ("PUT", "/api/asked/1", {"name": "b"}, [("/size", "required")]),
    "enough": ("PATCH", "/api/asked/1", {"size": None}, []),
}


@pytest.mark.parametrize("case", ASKED)
def test_what_a_model_wants_is_asked_although_its_column_may_be_null(ask: Ask, case: str) -> None:
    method, path, body, refused = ASKED[case]
    assert ask("/api/asked", method="POST", json={"name": "a", "size": None}).status_code == 201

    answer = ask(path, method=method, json=body)

    assert answer.status_code == (422 if refused else 200), answer.text
    assert [(e["pointer"], e["code"]) for e in answer.json().get("errors", [])] == refused


def test_what_a_model_wants_is_said_by_forms_the_document_and_tables(ask: Ask) -> None:
    schemas = ask("/openapi.json").json()["components"]["schemas"]
    forms = ask("/api/asked", headers={"accept": "application/prs.hal-forms+json"}).json()
    csv = {"content-type": "text/csv"}
    table = ask("/api/asked", method="POST", content=b"name,size,count\na,,\n", headers=csv)

    assert schemas["AskedCreate"]["required"] == ["name", "size"]
    assert schemas["AskedCreate"]["properties"]["name"]["type"] == "string"
    made = {e["name"]: e["required"] for e in forms["_templates"]["default"]["properties"]}
    assert made == {"name": True, "size": True, "count": False}
    assert table.status_code == 201, table.text
    found = ask("/api/asked").json()["items"]
    assert found == [{"id": 1, "name": "a", "size": None, "count": 4}]
