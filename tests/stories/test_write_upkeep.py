"""Columns that the server keeps, on every kind of mapping: timestamps, a version, soft deletion."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, DateTime, Integer, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry
from sqlmodel import Field, SQLModel

from tilth import Policy, SetupError, Tilth, Upkeep, public

Ask = Callable[..., Response]

MOMENT = DateTime(timezone=True)
UPKEEP = Upkeep(
    created_at="created_at", updated_at="changed_at", version="version", deleted_at="deleted_at"
)


class Base(DeclarativeBase):
    pass


class Page(Base):
    __tablename__ = "page"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(MOMENT)
    changed_at: Mapped[datetime] = mapped_column(MOMENT)
    deleted_at: Mapped[datetime | None] = mapped_column(MOMENT)
    version: Mapped[int]


class Leaf(SQLModel, table=True):
    __tablename__ = "leaf"
    metadata = Base.metadata
    id: int | None = Field(default=None, primary_key=True)
    title: str
    created_at: datetime | None = None
    changed_at: datetime | None = None
    deleted_at: datetime | None = None
    version: int = 0


class Sheet:
    pass


imperative = registry(metadata=Base.metadata)
imperative.map_imperatively(
    Sheet,
    Table(
        "sheet",
        Base.metadata,
        Column("id", Integer, primary_key=True),
        Column("title", String(20), nullable=False),
        # Without a time zone: UTC that does not say so.
        Column("created_at", DateTime, nullable=False),
        Column("changed_at", DateTime, nullable=False),
        Column("deleted_at", DateTime),
        Column("version", Integer, nullable=False),
    ),
)

EVERYONE = Policy(read=public, write=public)


@pytest.fixture(params=["/api/pages", "/api/leaves", "/api/sheets"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(database_url, Base.metadata)
    app = Tilth(database_url)
    for model in (Page, Leaf, Sheet):
        app.expose(model, EVERYONE, upkeep=UPKEEP)
    return serve(app)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_new_row_has_its_moment_and_version_one(ask: Ask, path: str) -> None:
    before = datetime.now(UTC)
    row = ask(path, method="POST", json={"title": "a"}).json()
    after = datetime.now(UTC)

    assert before <= moment(row["created_at"]) <= after
    kept = {"changed_at": row["created_at"], "version": 1, "deleted_at": None}
    assert {name: row[name] for name in kept} == kept


def test_each_change_counts_and_is_dated(ask: Ask, path: str) -> None:
    first = ask(path, method="POST", json={"title": "a"}).json()
    row = f"{path}/{first['id']}"

    second = ask(row, method="PATCH", json={"title": "b"}).json()
    third = ask(row, method="PUT", json={"title": "c"}).json()
    same = ask(row, method="PATCH", json={"title": "c"}).json()

    assert [each["version"] for each in (first, second, third, same)] == [1, 2, 3, 3]
    assert first["created_at"] == third["created_at"]
    assert moment(first["changed_at"]) < moment(second["changed_at"]) < moment(third["changed_at"])
    assert third == same


@pytest.mark.parametrize("name", ["created_at", "changed_at", "deleted_at", "version"])
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_client_cannot_write_what_the_server_keeps(
    ask: Ask, path: str, method: str, name: str
) -> None:
    row = ask(path, method="POST", json={"title": "a"}).json()
    where = path if method == "POST" else f"{path}/{row['id']}"

    refused = ask(where, method=method, json={"title": "x", name: row[name]})

    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [f"/{name}"]


def test_deleted_row_is_kept_and_no_longer_there(ask: Ask, path: str) -> None:
    kept, gone = (ask(path, method="POST", json={"title": t}).json() for t in ("a", "b"))
    row = f"{path}/{gone['id']}"

    assert ask(row, method="DELETE").status_code == 204

    assert ask(f"{path}?count=exact").json() | {"prev": 0} == {
        "items": [kept], "next": None, "prev": 0, "total": 1
    }  # fmt: skip
    answers = [ask(row), ask(row, method="PATCH", json={"title": "x"}), ask(row, method="DELETE")]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


MISTAKES: dict[str, tuple[Upkeep, str]] = {
    "a name that does not exist": (Upkeep(version="versoin"), "schema.unknown_upkeep_field"),
    "a version that is text": (Upkeep(version="title"), "schema.upkeep_kind"),
    "a moment that is a number": (Upkeep(created_at="version"), "schema.upkeep_kind"),
    "a deletion that cannot be null": (Upkeep(deleted_at="created_at"), "schema.upkeep_kind"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_refused_at_start(case: str) -> None:
    upkeep, code = MISTAKES[case]
    app: Any = Tilth("sqlite://")
    app.expose(Page, EVERYONE, upkeep=upkeep)

    with pytest.raises(SetupError) as refused:
        app.freeze()

    assert [finding.code for finding in refused.value.findings] == [code]
