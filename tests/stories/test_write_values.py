"""What is sent is what is stored: null is not the lack of a value, and 1 is not true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import JSON, Column, Integer, String, Table
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    mapped_column,
    validates,
)
from sqlmodel import Field, SQLModel

from tilth import Policy, Scope, Tilth, Upkeep, public

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    literal: Mapped[str | None] = mapped_column(String(20), default="made")
    called: Mapped[str | None] = mapped_column(String(20), default=lambda: "made")
    server: Mapped[str | None] = mapped_column(String(20), server_default="made")
    needed: Mapped[str] = mapped_column(String(20), default="made")
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)


class Watched(Base):
    """Made as a mapped object, because of its validator."""

    __tablename__ = "watched"
    id: Mapped[int] = mapped_column(primary_key=True)
    literal: Mapped[str | None] = mapped_column(String(20), default="made")
    called: Mapped[str | None] = mapped_column(String(20), default=lambda: "made")
    server: Mapped[str | None] = mapped_column(String(20), server_default="made")
    needed: Mapped[str] = mapped_column(String(20), default="made")
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)

    @validates("literal", "called", "server")
    def no_object_of_sql(self, name: str, value: str | None) -> str | None:
        assert value is None or isinstance(value, str)
        return value


class Data(MappedAsDataclass, Base):
    __tablename__ = "data"
    id: Mapped[int] = mapped_column(init=False, primary_key=True)
    literal: Mapped[str | None] = mapped_column(String(20), default="made")
    called: Mapped[str | None] = mapped_column(
        String(20), init=False, insert_default=lambda: "made"
    )
    server: Mapped[str | None] = mapped_column(String(20), init=False, server_default="made")
    needed: Mapped[str] = mapped_column(String(20), default="made")
    notes: Mapped[Any] = mapped_column(JSON, nullable=True, default=None)


class Checked(SQLModel, table=True):
    __tablename__ = "checked"
    metadata = Base.metadata
    id: int | None = Field(default=None, primary_key=True)
    literal: str | None = Field(default="made", max_length=20)
    called: str | None = Field(default_factory=lambda: "made", max_length=20)
    server: str | None = Field(
        default=None, max_length=20, sa_column_kwargs={"server_default": "made"}
    )
    needed: str = Field(default="made", max_length=20)
    notes: Any = Field(default=None, sa_column=Column(JSON))


class Strict(SQLModel, table=True):
    __tablename__ = "strict"
    metadata = Base.metadata
    id: int | None = Field(default=None, primary_key=True)
    counts: dict[str, int] = Field(sa_column=Column(JSON, nullable=False))


class Kept:
    """An imperative class whose constructor takes less than there is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.slug = name.lower()


kept = Table(
    "kept",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(20), nullable=False),
    Column("slug", String(20)),
    Column("version", Integer),
)
Base.registry.map_imperatively(Kept, kept)

NULLS = {"literal": None, "called": None, "server": None}
MADE = dict.fromkeys([*NULLS, "needed"], "made")
MODELS = {"plain": Plain, "watched": Watched, "data": Data, "checked": Checked}


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(database_url, Base.metadata)
    app = Tilth(database_url)
    for name, model in MODELS.items():
        app.expose(model, Policy(read=public, write=public), name=name)

    app.expose(Strict, Policy(read=public, write=public), name="strict")
    app.expose(
        Kept, Policy(read=public, write=public), name="kept", upkeep=Upkeep(version="version")
    )

    @app.post("/noted/{number}")
    async def noted(number: int, notes: dict[str, int], scope: Scope) -> Any:
        await scope.objects(Plain).filter(id=number).update(notes=notes)
        return (await scope.objects(Plain).get(id=number)).notes

    @app.post("/scoped/{name}")
    async def scoped(name: str, scope: Scope) -> dict[str, Any]:
        made: Any = await scope.objects(MODELS[name]).create(**NULLS)
        return {each: getattr(made, each) for each in MADE}

    return serve(app)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in MADE}


@pytest.mark.parametrize("name", MODELS)
def test_null_is_stored_where_a_default_would_be_made(ask: Ask, name: str) -> None:
    path = f"/api/{name}"
    sent = [NULLS, {}, NULLS | {"needed": "sent"}]
    expected = [MADE | NULLS, MADE, MADE | NULLS | {"needed": "sent"}]

    one_by_one = [ask(path, method="POST", json=body).json() for body in sent]
    together = ask(path, method="POST", json=sent).json()["items"]
    csv = "literal,called,server\n,,\n,,\n"
    of_csv = ask(path, method="POST", content=csv, headers={"content-type": "text/csv"})
    scoped = ask(f"/scoped/{name}", method="POST").json()

    assert list(map(shown, one_by_one)) == expected
    assert list(map(shown, together)) == expected
    assert list(map(shown, of_csv.json()["items"])) == [MADE | NULLS] * 2
    assert scoped == MADE | NULLS
    stored = ask(f"{path}?sort=id").json()["items"]
    assert list(map(shown, stored[:6])) == expected * 2


ALIKE = [(1, True), (0, False), ({"a": [1]}, {"a": [True]}), ([0, {}], [False, {}])]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("before", "after"), ALIKE, ids=map(str, ALIKE))
def test_change_is_kept_that_only_json_can_tell(
    ask: Ask, name: str, before: object, after: object
) -> None:
    row = ask(f"/api/{name}", method="POST", json={"notes": before})
    path = row.headers["location"]

    changed = ask(path, method="PUT", json={**NULLS, "needed": "x", "notes": after})
    many = ask(
        f"/api/{name}?id={row.json()['id']}",
        method="PATCH",
        json={"notes": before},
        headers={"prefer": "max-affected=1"},
    )

    assert repr(changed.json()["notes"]) == repr(after)
    assert changed.headers["etag"] != row.headers["etag"]
    assert many.status_code == 200
    assert repr(ask(path).json()["notes"]) == repr(before)


PATCHES: dict[str, tuple[Any, Any, Any]] = {
    "a member is added": ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    "a member is changed": ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
    "a member goes": ({"a": 1, "b": 2}, {"b": None}, {"a": 1}),
    "below": ({"a": {"b": 1, "c": [1]}}, {"a": {"c": [2], "d": None}}, {"a": {"b": 1, "c": [2]}}),
    "a list is one value": ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    "an object for a text": ("text", {"a": {"b": 1, "c": None}}, {"a": {"b": 1}}),
    "an object for nothing": (None, {"a": None, "b": 1}, {"b": 1}),
    "a text for an object": ({"a": 1}, "text", "text"),
    "null for an object": ({"a": 1}, None, None),
    "nothing": ({"a": 1}, {}, {"a": 1}),
}


@pytest.mark.parametrize("name", ["plain", "checked"])
@pytest.mark.parametrize("case", PATCHES)
def test_patch_is_merged_into_what_a_field_holds(ask: Ask, name: str, case: str) -> None:
    before, patch, after = PATCHES[case]

    def patched(how: Callable[[str, str], Response]) -> Any:
        row = ask(f"/api/{name}", method="POST", json={"notes": before})
        assert how(row.headers["location"], row.json()["id"]).status_code == 200
        return ask(row.headers["location"]).json()["notes"]

    body = {"notes": patch}
    alone = patched(lambda path, key: ask(path, method="PATCH", json=body))
    many = patched(
        lambda path, key: ask(
            f"/api/{name}?id={key}",
            method="PATCH",
            json=body,
            headers={"prefer": "max-affected=1"},
        )
    )
    batch = patched(
        lambda path, key: ask(
            "/api/batch",
            method="POST",
            json={"operations": [{"method": "PATCH", "path": path, "body": body}]},
        )
    )

    assert (alone, many, batch) == (after, after, after)


def test_put_restores_a_default_that_is_known_and_asks_for_the_others(ask: Ask) -> None:
    row = ask("/api/plain", method="POST", json={"literal": "sent", "needed": "sent"})
    path = row.headers["location"]

    refused = ask(path, method="PUT", json={})
    put = ask(path, method="PUT", json={"called": "a", "server": None})

    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/called", "/server"]
    assert shown(put.json()) == {"literal": "made", "called": "a", "server": None, "needed": "made"}
    schema = ask("/openapi.json").json()["components"]["schemas"]["PlainReplace"]
    assert schema["required"] == ["called", "server"]


def test_put_and_scopes_replace_what_a_field_holds(ask: Ask) -> None:
    row = ask("/api/plain", method="POST", json={"notes": {"a": 1}})
    whole = {**NULLS, "notes": {"b": 2}}

    assert ask(row.headers["location"], method="PUT", json=whole).json()["notes"] == {"b": 2}
    assert ask(f"/noted/{row.json()['id']}", method="POST", json={"c": 3}).json() == {"c": 3}


def test_model_is_asked_of_what_a_patch_makes(ask: Ask) -> None:
    """The patch alone, with its null, would be no dictionary of numbers."""
    row = ask("/api/strict", method="POST", json={"counts": {"a": 1, "b": 2}})
    path = row.headers["location"]

    fine = ask(path, method="PATCH", json={"counts": {"b": None, "c": 3}})
    refused = ask(path, method="PATCH", json={"counts": {"d": "many"}})

    assert fine.json()["counts"] == {"a": 1, "c": 3}
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith("/counts")


def test_constructor_is_called_though_the_server_keeps_more(ask: Ask) -> None:
    made = ask("/api/kept", method="POST", json={"name": "Flash"})

    assert made.json() == {"id": 1, "name": "Flash", "slug": "flash", "version": 1}
