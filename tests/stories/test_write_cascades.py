"""What a deletion does to other rows is told as it was, whoever did it: the mapping or the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, String, Table
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


singing = Table(
    "singing",
    Base.metadata,
    Column("choir_id", ForeignKey("choir.id"), primary_key=True),
    Column("song_id", ForeignKey("song.id"), primary_key=True),
)


class Choir(Base):
    """What it sings goes with it, whoever else sings it."""

    __tablename__ = "choir"
    id: Mapped[int] = mapped_column(primary_key=True)
    songs: Mapped[list[Song]] = relationship(secondary=singing, cascade="all, delete")


class Song(Base):
    __tablename__ = "song"
    id: Mapped[int] = mapped_column(primary_key=True)


class Verse(Base):
    """Deleted by the database, with the song."""

    __tablename__ = "verse"
    id: Mapped[int] = mapped_column(primary_key=True)
    song_id: Mapped[int] = mapped_column(ForeignKey("song.id", ondelete="CASCADE"))


class Currency(Base):
    """Known by a code that may change."""

    __tablename__ = "currency"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(3), unique=True)
    name: Mapped[str | None] = mapped_column(String(20))


class Country(Base):
    """Changed by the database, with the code of its currency."""

    __tablename__ = "country"
    id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str | None] = mapped_column(
        ForeignKey("currency.code", onupdate="CASCADE"), unique=True
    )


class Shop(Base):
    """Changed by what that changes."""

    __tablename__ = "shop"
    id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str | None] = mapped_column(ForeignKey("country.currency", onupdate="CASCADE"))


class Debt(Base):
    """Forgets the code."""

    __tablename__ = "debt"
    id: Mapped[int] = mapped_column(primary_key=True)
    currency: Mapped[str | None] = mapped_column(ForeignKey("currency.code", onupdate="SET NULL"))


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
    Song: [{"id": 1}, {"id": 2}, {"id": 3}],
    Verse: [{"id": 1, "song_id": 1}, {"id": 2, "song_id": 3}],
    Currency: [{"id": 1, "code": "DEM"}, {"id": 2, "code": "FRF"}],
    Country: [{"id": 1, "currency": "DEM"}, {"id": 2, "currency": "FRF"}],
    Shop: [{"id": 1, "currency": "DEM"}, {"id": 2, "currency": "FRF"}],
    Debt: [{"id": 1, "currency": "DEM"}, {"id": 2, "currency": None}],
}


def farms(url: str) -> Tilth:
    app = Tilth(url, readers=[actor_reader])
    for model in (Farm, Plot, Crop, Tool, Visit):
        app.expose(model, Policy(read=public, write=public))
    for model in (Horse, Stall, Prize, Choir, Song, Verse):
        app.expose(model, Policy(read=public, write=public))
    for model in (Currency, Country, Shop, Debt):
        app.expose(model, Policy(read=public, write=public))
    app.expose(Racer, Policy(read=public))
    app.expose(Note, Policy(read=(Note.secret == "n") | role("root"), write=public))
    return app


@pytest.fixture
def ask(database_url: str, fill: Callable[..., None], serve: Callable[[Tilth], Ask]) -> Ask:
    horses = [Racer(id=1, stall=Stall(id=5), prizes=[Prize(id=8)]), Horse(id=2, stall=Stall(id=6))]
    fill(database_url, Base.metadata, horses, rows=ROWS)
    return serve(farms(database_url))


def rehearsed(
    ask: Ask, path: str, by: Actor | None = None, method: str = "DELETE", body: Any = None
) -> list[tuple[str, str]]:
    headers = {"prefer": "dry-run, max-affected=9"}
    answer = ask(path, method=method, headers=headers, by=by, **({"json": body} if body else {}))
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


def test_rows_at_the_far_end_that_go_along_are_told(ask: Ask) -> None:
    keys = [{"id": 1}, {"id": 2}]
    made = ask("/api/choirs", method="POST", json={"songs": keys})
    other = ask("/api/choirs", method="POST", json={"songs": [{"id": 2}, {"id": 3}]})
    assert [made.status_code, other.status_code] == [201, 201]
    path = other.headers["location"]
    assert ask(f"{path}/songs/2", method="DELETE").status_code == 204

    assert rehearsed(ask, made.headers["location"]) == [
        ("verse.deleted", "1"),
        ("song.deleted", "1"),
        ("song.deleted", "2"),
        ("choir.deleted", "1"),
    ]
    assert ask(made.headers["location"], method="DELETE").status_code == 204
    assert ask("/api/songs").json()["items"] == [{"id": 3}]


FOLLOWING = [("currency.updated", "1"), ("debt.updated", "1"), ("shop.updated", "1")]
CHANGES: dict[str, tuple[str, str, Any]] = {
    "of one": ("PATCH", "/api/currencies/1", {"code": "EUR"}),
    "of one as a whole": ("PUT", "/api/currencies/1", {"code": "EUR"}),
    "of many": ("PATCH", "/api/currencies?code=DEM", {"code": "EUR"}),
}


@pytest.mark.parametrize(("method", "path", "body"), CHANGES.values(), ids=list(CHANGES))
def test_rows_that_follow_a_change_are_told(ask: Ask, method: str, path: str, body: Any) -> None:
    told = rehearsed(ask, path, method=method, body=body)

    assert told[0] == ("currency.updated", "1")
    assert sorted(told) == sorted([*FOLLOWING, ("country.updated", "1")])
    assert rehearsed(ask, path, method=method, body={**body, "code": "DEM"}) == []
    ask(path, method=method, json=body, headers={"prefer": "max-affected=1"})
    found = {name: ask(f"/api/{name}/1").json()["currency"] for name in ("countries", "shops")}
    assert found == {"countries": "EUR", "shops": "EUR"}
    assert ask("/api/debts/1").json()["currency"] is None


def test_change_of_something_else_looks_at_nothing_more(ask: Ask) -> None:
    assert rehearsed(ask, "/api/currencies/1", method="PATCH", body={"name": "Mark"}) == [
        ("currency.updated", "1")
    ]
