"""Columns whose types are special: on one database only, of the developer's own, loaded late, or made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import JSON, Column, Integer, String, Time, TypeDecorator
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel

from tilth import Policy, Tilth, WritePlan, public

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


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list[str] | None] = mapped_column(
        JSON().with_variant(ARRAY(String(3)), "postgresql")
    )
    settings: Mapped[Any] = mapped_column(SettingsType, nullable=True, info={"tilth_kind": "json"})
    data: Mapped[Any] = mapped_column(JSON, nullable=True)
    late: Mapped[str | None] = mapped_column(String(20), deferred=True, deferred_raiseload=True)


class ByHand(SQLModel, table=True):
    """Its columns do not know of its defaults."""

    __tablename__ = "by_hand"
    metadata = Base.metadata
    id: int | None = Field(default=None, primary_key=True)
    size: int | None = Field(default=4, sa_column=Column(Integer))
    words: list[str] = Field(default=["a"], sa_column=Column(JSON, nullable=False))


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
        ask(path, method="PUT", json={"late": "c"}),
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
