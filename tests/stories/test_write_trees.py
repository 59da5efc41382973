"""Rows that refer to rows of their own kind, to themselves among them, can be deleted like others."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from httpx import Response
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Policy, Tilth, public
from tilth.kernel.store.sync import sync_engine

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Folder(Base):
    __tablename__ = "folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("folder.id"))
    parent: Mapped[Folder | None] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list[Folder]] = relationship(back_populates="parent", passive_deletes=True)


class Branch(Base):
    """Takes those below it along."""

    __tablename__ = "branch"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("branch.id"))
    children: Mapped[list[Branch]] = relationship(cascade="all, delete-orphan")


class Ring(Base):
    """The first of them has to refer to itself."""

    __tablename__ = "ring"
    id: Mapped[int] = mapped_column(primary_key=True)
    next_id: Mapped[int] = mapped_column(ForeignKey("ring.id"))
    next: Mapped[Ring] = relationship(remote_side=[id])


PARENTS: dict[str, dict[int, int | None]] = {
    "folders": {1: 1, 2: 3, 3: 2, 4: None, 5: 4},
    "branches": {1: 1, 2: 3, 3: 2, 4: None, 5: 4},
    "rings": {1: 1, 2: 3, 3: 2, 4: 4, 5: 4},
}
MODELS = {"folders": Folder, "branches": Branch, "rings": Ring}


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    fill(database_url, Base.metadata)
    engine = sync_engine(database_url)
    with engine.begin() as connection:
        for name, model in MODELS.items():
            table = model.__table__
            key = "next_id" if model is Ring else "parent_id"
            # First each to itself: those it is to refer to are not all there yet.
            connection.execute(table.insert(), [{"id": n, key: n} for n in PARENTS[name]])
            for number, parent in PARENTS[name].items():
                row = table.update().where(table.c.id == number)
                connection.execute(row.values({key: parent}))
    engine.dispose()
    app = Tilth(database_url)
    for model in MODELS.values():
        app.expose(model, Policy(read=public, write=public))
    return serve(app)


def left(ask: Ask, resource: str) -> list[int]:
    return [row["id"] for row in ask(f"/api/{resource}?sort=id").json()["items"]]


@pytest.mark.parametrize("resource", MODELS)
def test_a_row_that_refers_to_itself_is_deleted(ask: Ask, resource: str) -> None:
    assert ask(f"/api/{resource}/1", method="DELETE").status_code == 204
    assert left(ask, resource) == [2, 3, 4, 5]


@pytest.mark.parametrize("resource", MODELS)
def test_rows_that_refer_to_each_other_are_deleted_together(ask: Ask, resource: str) -> None:
    answer = ask(
        f"/api/{resource}?id__in=2,3", method="DELETE", headers={"prefer": "max-affected=2"}
    )

    expected = (409, [1, 2, 3, 4, 5]) if resource == "rings" else (200, [1, 4, 5])
    assert (answer.status_code, left(ask, resource)) == expected


def test_what_goes_along_goes_along_a_circle(ask: Ask) -> None:
    assert ask("/api/branches/2", method="DELETE").status_code == 204
    assert ask("/api/branches/4", method="DELETE").status_code == 204
    assert left(ask, "branches") == [1]


@pytest.mark.parametrize("resource", ["folders", "rings"])
def test_a_row_that_others_refer_to_stays(ask: Ask, resource: str) -> None:
    refused = ask(f"/api/{resource}/4", method="DELETE")

    assert (refused.status_code, refused.json()["code"]) == (409, "referenced")
    assert left(ask, resource) == [1, 2, 3, 4, 5]
