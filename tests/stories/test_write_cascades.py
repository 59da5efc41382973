"""What a deletion does to other rows is told as it was, whoever did it: the mapping or the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, public, role
from tilth.testing import actor_reader

Ask = Callable[..., Response]
ROOT = Actor("root", roles=frozenset({"root"}))


class Base(DeclarativeBase):
    pass


class Farm(Base):
    __tablename__ = "farm"
    id: Mapped[int] = mapped_column(primary_key=True)
    fields: Mapped[list[Plot]] = relationship(cascade="all, delete-orphan")
    tools: Mapped[list[Tool]] = relationship()


class Plot(Base):
    """Deleted by the mapping."""

    __tablename__ = "plot"
    farm_id: Mapped[int] = mapped_column(ForeignKey("farm.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Crop(Base):
    """Deleted by the database, with the row that the mapping deletes."""

    __tablename__ = "crop"
    __table_args__ = (
        ForeignKeyConstraint(
            ["farm_id", "plot"], ["plot.farm_id", "plot.number"], ondelete="CASCADE"
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    farm_id: Mapped[int]
    plot: Mapped[int]


class Tool(Base):
    """Left behind by the mapping."""

    __tablename__ = "tool"
    id: Mapped[int] = mapped_column(primary_key=True)
    farm_id: Mapped[int | None] = mapped_column(ForeignKey("farm.id"))


class Visit(Base):
    """Left behind by the database."""

    __tablename__ = "visit"
    id: Mapped[int] = mapped_column(primary_key=True)
    farm_id: Mapped[int | None] = mapped_column(ForeignKey("farm.id", ondelete="SET NULL"))


class Note(Base):
    """A tree: each goes with the one above, and only some may be seen."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    above_id: Mapped[int | None] = mapped_column(ForeignKey("note.id", ondelete="CASCADE"))
    secret: Mapped[str] = mapped_column(String(1))


class Horse(Base):
    """Its stall goes with it, which it refers to."""

    __tablename__ = "horse"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="horse")
    stall_id: Mapped[int | None] = mapped_column(ForeignKey("stall.id"))
    stall: Mapped[Stall | None] = relationship(cascade="all, delete-orphan", single_parent=True)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "horse"}  # noqa: RUF012


class Racer(Horse):
    """In a table of its own, with prizes that go along."""

    __tablename__ = "racer"
    id: Mapped[int] = mapped_column(ForeignKey("horse.id"), primary_key=True)
    prizes: Mapped[list[Prize]] = relationship(cascade="all, delete-orphan")
    __mapper_args__ = {"polymorphic_identity": "racer"}  # noqa: RUF012


class Stall(Base):
    __tablename__ = "stall"
    id: Mapped[int] = mapped_column(primary_key=True)


class Prize(Base):
    __tablename__ = "prize"
    id: Mapped[int] = mapped_column(primary_key=True)
    racer_id: Mapped[int] = mapped_column(ForeignKey("racer.id"))


ROWS: dict[type, list[dict[str, Any]]] = {
    Farm: [{"id": 1}, {"id": 2}],
    Plot: [{"farm_id": 1, "number": 7}, {"farm_id": 2, "number": 7}],
    Crop: [{"id": 1, "farm_id": 1, "plot": 7}, {"id": 2, "farm_id": 2, "plot": 7}],
    Tool: [{"id": 1, "farm_id": 1}, {"id": 2, "farm_id": 2}],
    Visit: [{"id": 1, "farm_id": 1}, {"id": 2, "farm_id": 1}],
    Note: [
        {"id": 1, "above_id": None, "secret": "n"},
        {"id": 2, "above_id": 1, "secret": "y"},
        {"id": 3, "above_id": 2, "secret": "n"},
        {"id": 4, "above_id": None, "secret": "n"},
    ],
}


def farms(url: str) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    for model in (Farm, Plot, Crop, Tool, Visit):
        app.expose(model, Policy(read=public, write=public))
    for model in (Horse, Stall, Prize):
        app.expose(model, Policy(read=public, write=public))
    app.expose(Racer, Policy(read=public))
    app.expose(Note, Policy(read=(Note.secret == "n") | role("root"), write=public))
    return app


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    horses = [Racer(id=1, stall=Stall(id=5), prizes=[Prize(id=8)]), Horse(id=2, stall=Stall(id=6))]
    fill(database_url, Base.metadata, horses, rows=ROWS)
    return serve(farms(database_url))


def rehearsed(ask: Ask, path: str, by: Actor | None = None) -> list[tuple[str, str]]:
    answer = ask(path, method="DELETE", headers={"prefer": "dry-run"}, by=by)
    assert answer.status_code == 200, answer.text
    return [(each["type"], ",".join(each["key"])) for each in answer.json()["events"]]


def test_everything_that_a_deletion_changes_is_told(ask: Ask) -> None:
    told = rehearsed(ask, "/api/farms/1")

    assert sorted(told) == [
        ("crop.deleted", "1"),
        ("farm.deleted", "1"),
        ("plot.deleted", "1,7"),
        ("tool.updated", "1"),
        ("visit.updated", "1"),
        ("visit.updated", "2"),
    ]
    assert told.index(("crop.deleted", "1")) < told.index(("plot.deleted", "1,7"))
    assert told[-1] == ("farm.deleted", "1")
    assert ask("/api/farms/1").status_code == 200


def test_what_goes_along_is_told_of_rows_that_are_referred_to_and_of_classes_that_inherit(
    ask: Ask,
) -> None:
    assert sorted(rehearsed(ask, "/api/horses/1")) == [
        ("horse.deleted", "1"),
        ("prize.deleted", "8"),
        ("stall.deleted", "5"),
    ]
    assert sorted(rehearsed(ask, "/api/horses/2")) == [
        ("horse.deleted", "2"),
        ("stall.deleted", "6"),
    ]


def test_what_was_rehearsed_happens(ask: Ask) -> None:
    assert ask("/api/farms/1", method="DELETE").status_code == 204

    kept = {name: ask(f"/api/{name}").json()["items"] for name in ("crops", "tools", "visits")}
    assert kept == {
        "crops": [{"id": 2, "farm_id": 2, "plot": 7}],
        "tools": [{"id": 1, "farm_id": None}, {"id": 2, "farm_id": 2}],
        "visits": [{"id": 1, "farm_id": None}, {"id": 2, "farm_id": None}],
    }


@pytest.mark.parametrize(
    ("by", "seen"), [(None, ["3", "1"]), (ROOT, ["3", "2", "1"])], ids=["anyone", "root"]
)
def test_a_rehearsal_tells_of_rows_that_the_caller_may_read(
    ask: Ask, by: Actor | None, seen: list[str]
) -> None:
    told = rehearsed(ask, "/api/notes/1", by)

    assert told == [("note.deleted", key) for key in seen]
