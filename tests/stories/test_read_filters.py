"""Which rows a list holds: every lookup on every kind, relations, the filter grammar, search."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from httpx import Response
from sqlalchemy import JSON, BigInteger, Column, DateTime, ForeignKey, Numeric, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import ExactDecimal, Policy, Tilth, public

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Rank(enum.Enum):
    LOW = "not much"
    HIGH = "a lot"


memberships = Table(
    "memberships",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("club_id", ForeignKey("club.id"), primary_key=True),
)


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    city: Mapped[str | None]
    heroes: Mapped[list[Hero]] = relationship(back_populates="team")


class Club(Base):
    __tablename__ = "club"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(secondary=memberships, back_populates="clubs")


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    nick: Mapped[str | None]
    active: Mapped[bool | None]
    age: Mapped[int | None]
    big: Mapped[int | None] = mapped_column(BigInteger)
    height: Mapped[float | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    exact: Mapped[Decimal | None] = mapped_column(ExactDecimal(38, 10))
    photo: Mapped[bytes | None]
    born: Mapped[date | None]
    wakes: Mapped[time | None]
    seen: Mapped[datetime | None]
    called: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    rest: Mapped[timedelta | None]
    code: Mapped[UUID | None]
    rank: Mapped[Rank | None]
    extra: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")
    clubs: Mapped[list[Club]] = relationship(secondary=memberships, back_populates="heroes")


# Hero 4 has nothing at all.
HEROES: dict[str, tuple[Any, Any, Any]] = {
    "name": ("Ana", "ana 100%", "Ägir_"),
    "nick": ("", "a,b", "İΑΣ😀"),
    "active": (True, False, True),
    "age": (-1, 0, 30),
    "big": (-(2**63), 2**53 + 1, 2**63 - 1),
    "height": (-0.5, 0.1 + 0.2, 1e300),
    "price": (Decimal("-0.10"), Decimal("9.90"), Decimal("10.00")),
    "exact": (
        Decimal("-1234567890123456789012345678.0000000001"),
        Decimal("0.1"),
        Decimal("1234567890123456789012345678.0000000001"),
    ),
    "photo": (b"", b"\x00\xff", b"abc"),
    "born": (date(1, 1, 1), date(2000, 2, 29), date(9999, 12, 31)),
    "wakes": (time(0), time(6, 30, 0, 1), time(23, 59, 59, 999999)),
    "seen": (
        datetime(1969, 7, 20, 20, 17),
        datetime(2000, 1, 1, 0, 0, 0, 5),
        datetime(2024, 2, 29, 12),
    ),
    "called": (
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=-1))),
        datetime(2000, 1, 1, tzinfo=timezone(timedelta(hours=-2))),
    ),
    "rest": (timedelta(days=-1), timedelta(0), timedelta(days=400, microseconds=1)),
    "code": (UUID(int=1 << 124), UUID(int=9 << 124), UUID(int=15 << 124)),
    "rank": (Rank.LOW, Rank.HIGH, Rank.LOW),
    "extra": ({"a": [1]}, [], "null"),
}


def world() -> list[Base]:
    red = Team(id=1, name="Red", city="Rome")
    blue = Team(id=2, name="Blue")
    chess, go, empty = (Club(id=n, name=name) for n, name in ((1, "Chess"), (2, "Go"), (3, "No")))
    heroes = [
        Hero(id=n + 1, **{name: values[n] for name, values in HEROES.items()}) for n in range(3)
    ]
    heroes[0].team, heroes[1].team, heroes[2].team = red, red, blue
    heroes[0].clubs, heroes[1].clubs = [chess, go], [chess]
    return [Team(id=3, name="Green"), *heroes, Hero(id=4), empty]


@pytest.fixture(scope="module")
def ask(module_url: str, fill: Any, serve_for_module: Any) -> Ask:
    fill(module_url, Base.metadata, world())
    app = Tilth(module_url)
    app.expose(Team, Policy(read=public))
    app.expose(Club, Policy(read=public))
    app.expose(Hero, Policy(read=public), search=["name", "nick"])
    served: Ask = serve_for_module(app)
    return served


def ids(answer: Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["items"]]


ORDERED: dict[str, tuple[str, str, str]] = {
    "age": ("-1", "0", "30"),
    "big": ("-9223372036854775808", "9007199254740993", "9223372036854775807"),
    "height": ("-0.5", "0.30000000000000004", "1e300"),
    "price": ("-0.1", "9.9", "10"),
    "exact": (
        "-1234567890123456789012345678.0000000001",
        "0.10",
        "1234567890123456789012345678.0000000001",
    ),
    "name": ("Ana", "ana 100%", "Ägir_"),
    "born": ("0001-01-01", "2000-02-29", "9999-12-31"),
    "wakes": ("00:00", "06:30:00.000001", "23:59:59.999999"),
    "seen": ("1969-07-20T20:17:00Z", "2000-01-01T00:00:00.000005", "2024-02-29T13:00:00+01:00"),
    "called": ("2000-01-01", "1999-12-31T23:00:00-02:00", "2000-01-01 02:00"),
    "rest": ("-P1D", "PT0S", "P400DT0.000001S"),
    "code": (
        "10000000-0000-0000-0000-000000000000",
        "90000000000000000000000000000000",
        "F0000000-0000-0000-0000-000000000000",
    ),
}
"""Kinds with an order: the stored values as a client writes them, smallest first."""

ORDER_LOOKUPS = {
    "{0}={2}": [2],
    "{0}__exact={1}": [1],
    "{0}__ne={1}": [2, 3],
    "{0}__lt={2}": [1],
    "{0}__lte={2}": [1, 2],
    "{0}__gt={2}": [3],
    "{0}__gte={2}": [2, 3],
    "{0}__in={1},{3},{3}": [1, 3],
    "{0}__in=": [],
    "{0}__range={2},{3}": [2, 3],
    "{0}__range={3},{1}": [],
    "{0}__isnull=true": [4],
    "{0}__isnull=false": [1, 2, 3],
}


@pytest.mark.parametrize("name", ORDERED)
def test_values_with_an_order(ask: Ask, name: str) -> None:
    written = [quote(text, safe="") for text in ORDERED[name]]

    found = {q: ids(ask(f"/api/heroes?{q.format(name, *written)}")) for q in ORDER_LOOKUPS}

    assert found == ORDER_LOOKUPS


OTHERS = {
    "active=true": [1, 3],
    "active__ne=true": [2],
    "active__in=0,1": [1, 2, 3],
    "active__isnull=1": [4],
    "photo=": [1],
    "photo=AP8%3D": [2],
    "photo__ne=YWJj": [1, 2],
    "photo__in=YWJj,AP8%3D": [2, 3],
    "photo__isnull=true": [4],
    "rank=not%20much": [1, 3],
    "rank__ne=a%20lot": [1, 3],
    "rank__in=a%20lot": [2],
    "rank__isnull=true": [4],
    "extra__isnull=true": [4],
    "extra__isnull=false": [1, 2, 3],
}


@pytest.mark.parametrize("query", OTHERS)
def test_values_without_an_order(ask: Ask, query: str) -> None:
    assert ids(ask(f"/api/heroes?{query}")) == OTHERS[query]


EXTREMES = {
    # a day more than SQLite can store, and all that Python can count
    "rest__lt=P2932897D": [1, 2, 3],
    "rest__gt=-P999999999D": [1, 2, 3],
    "rest__gte=P999999999D": [],
    "rest=P999999999D": [],
    "price__lt=1e999": [1, 2, 3],
    "price__gt=1e-999": [2, 3],
    "big__range=-9223372036854775808,9223372036854775807": [1, 2, 3],
    "age__lt=9223372036854775807": [1, 2, 3],
    "seen__gte=0001-01-01": [1, 2, 3],
    "called__lte=9999-12-31T23:59:59.999999Z": [1, 2, 3],
    "name__in=" + ",".join(["Ana"] * 500): [1],
}


@pytest.mark.parametrize("query", EXTREMES, ids=lambda query: query[:40])
def test_values_no_row_could_have(ask: Ask, query: str) -> None:
    assert ids(ask(f"/api/heroes?{query}")) == EXTREMES[query]


TEXTS = {
    "name__iexact=ANA": [1],
    "name__iexact=ÄGIR_": [3],
    "name__contains=a": [1, 2],
    "name__contains=A": [1],
    "name__icontains=A": [1, 2],
    "name__icontains=ä": [3],
    "name__contains=%25": [2],
    "name__contains=_": [3],
    "name__contains=": [1, 2, 3],
    "name__startswith=an": [2],
    "name__istartswith=AN": [1, 2],
    "name__istartswith=äG": [3],
    "name__endswith=na": [1],
    "name__endswith=": [1, 2, 3],
    "name__iendswith=R_": [3],
    "name__startswith=ana 100%25 and more": [],
    "nick=": [1],
    "nick=a%2Cb": [2],
    'nick__in="a,b"': [2],
    'nick__in="",x': [1],
    "nick__in=a,b": [],
    "nick__endswith=😀": [3],
    "nick__contains=ΑΣ": [3],
    "nick__icontains=ας": [],
    "nick__icontains=ασ": [3],
    "nick__isnull=true": [4],
}


@pytest.mark.parametrize("query", TEXTS)
def test_pieces_of_text(ask: Ask, query: str) -> None:
    assert ids(ask(f"/api/heroes?{query}")) == TEXTS[query]


RELATIONS = {
    "/api/heroes?team__name=Red": [1, 2],
    "/api/heroes?team__name__ne=Red": [3],
    "/api/heroes?team__city__isnull=true": [3],
    "/api/heroes?team__isnull=true": [4],
    "/api/heroes?team__isnull=false": [1, 2, 3],
    "/api/heroes?clubs__name=Chess": [1, 2],
    "/api/heroes?clubs__name__in=Chess,Go": [1, 2],
    "/api/heroes?clubs__isnull=true": [3, 4],
    "/api/heroes?clubs__name=Chess&clubs__name=Go": [1],
    "/api/heroes?clubs__heroes__team__name=Red": [1, 2],
    "/api/teams?heroes__age__gte=0": [1, 2],
    "/api/teams?heroes__isnull=true": [3],
    "/api/teams?heroes__clubs__name=Go&heroes__rank=a lot": [1],
    "/api/clubs?heroes__name__isnull=false": [1, 2],
    "/api/clubs?heroes__isnull=false&sort=-id": [2, 1],
    "/api/teams/1/heroes?clubs__name=Go": [1],
    "/api/heroes/1/clubs?heroes__id=2": [1],
    "/api/heroes/1/clubs?name=No": [],
    "/api/clubs/3/heroes": [],
}


@pytest.mark.parametrize("path", RELATIONS)
def test_lookup_through_a_relation_means_any_row_of_it(ask: Ask, path: str) -> None:
    assert ids(ask(path)) == RELATIONS[path]


def test_several_matches_in_a_relation_do_not_multiply_the_count(ask: Ask) -> None:
    counted = ask("/api/teams?heroes__id__gt=0&count=exact").json()

    assert (counted["total"], [row["id"] for row in counted["items"]]) == (2, [1, 2])


FILTERS = {
    "age >= 0 and age < 30": [2],
    "age = -1 or age = 30": [1, 3],
    "not age = 0": [1, 3],
    "not (age = 0 or age = 30)": [1],
    "age is null": [4],
    "not age is null and not active = true": [2],
    'name in ("Ana", "ana 100%")': [1, 2],
    "age in ()": [],
    "not age in ()": [1, 2, 3, 4],
    "age range (-1, 0)": [1, 2],
    'name icontains "AN"': [1, 2],
    'team.name = "Red"': [1, 2],
    'not team.name = "Red"': [3, 4],
    'team.name != "Red"': [3],
    'any(clubs, name = "Chess")': [1, 2],
    'any(clubs, name = "Chess") and any(clubs, name = "Go")': [1],
    'any(clubs, name = "Chess" and name = "Go")': [],
    "not any(clubs)": [3, 4],
    "any(team)": [1, 2, 3],
    "any(team.heroes, age = 0)": [1, 2],
    'any(clubs, any(heroes, team.name = "Red" and age = 0))': [1, 2],
    '(age >= 0 and team.name = "Red") or any(clubs, name = "Go")': [1, 2],
    "active = TRUE AND NOT height < 0": [3],
    'called = "2000-01-01T02:00:00+01:00"': [2],
    "exact > 1234567890123456789012345678": [3],
    'rank = "not much"': [1, 3],
    "`age` = 30": [3],
}


@pytest.mark.parametrize("text", FILTERS)
def test_filter(ask: Ask, text: str) -> None:
    assert ids(ask(f"/api/heroes?filter={quote(text)}")) == FILTERS[text]


SEARCHES = {
    "ana": [1, 2],
    "ANA 100%": [2],
    "100 ana": [2],
    "ä": [3],
    "😀 _": [3],
    "a,b ana": [2],
    "nobody": [],
    "  ": [1, 2, 3, 4],
}


@pytest.mark.parametrize("q", SEARCHES)
def test_search_wants_every_word_in_some_field(ask: Ask, q: str) -> None:
    assert ids(ask(f"/api/heroes?q={quote(q)}")) == SEARCHES[q]


def test_all_conditions_are_joined_by_and(ask: Ask) -> None:
    path = "/api/heroes?age__gte=-1&age__lte=0&filter=active%20%3D%20true&q=ana&team__name=Red"

    assert ids(ask(path)) == [1]


REFUSED = {
    # lookups: the pointer names the parameter
    "/api/heroes?agee=1": ("?agee", "unknown_field"),
    "/api/heroes?age__gtx=1": ("?age__gtx", "unknown_lookup"),
    "/api/heroes?age=x": ("?age", "bad_value"),
    "/api/heroes?age=1.0": ("?age", "bad_value"),
    "/api/heroes?age=9223372036854775808": ("?age", "bad_value"),
    "/api/heroes?height=NaN": ("?height", "bad_value"),
    "/api/heroes?height=1e999": ("?height", "bad_value"),
    "/api/heroes?price=Infinity": ("?price", "bad_value"),
    "/api/heroes?exact=0.00000000001": ("?exact", "bad_value"),
    "/api/heroes?active=yes": ("?active", "bad_value"),
    "/api/heroes?photo=*": ("?photo", "bad_value"),
    "/api/heroes?born=2000-02-30": ("?born", "bad_value"),
    "/api/heroes?wakes=25:00": ("?wakes", "bad_value"),
    "/api/heroes?seen=yesterday": ("?seen", "bad_value"),
    "/api/heroes?rest=1 day": ("?rest", "bad_value"),
    "/api/heroes?code=1": ("?code", "bad_value"),
    "/api/heroes?rank=LOW": ("?rank", "bad_value"),
    "/api/heroes?name=a%00b": ("?name", "bad_value"),
    "/api/heroes?extra=1": ("?extra", "bad_value"),
    "/api/heroes?rank__lt=a lot": ("?rank__lt", "bad_value"),
    "/api/heroes?age__contains=1": ("?age__contains", "bad_value"),
    "/api/heroes?age__isnull=maybe": ("?age__isnull", "bad_value"),
    "/api/heroes?age__range=1": ("?age__range", "bad_value"),
    "/api/heroes?age__in=1,x": ("?age__in", "bad_value"),
    '/api/heroes?name__in="a': ("?name__in", "bad_value"),
    "/api/heroes?age__in=" + "1," * 500 + "1": ("?age__in", "bad_value"),
    "/api/heroes?team=1": ("?team", "relation"),
    "/api/heroes?team__nam=Red": ("?team__nam", "unknown_field"),
    "/api/heroes?tem__name=Red": ("?tem__name", "unknown_relation"),
    "/api/heroes?" + "team__heroes__" * 4 + "id=1": ("?" + "team__heroes__" * 4 + "id", "too_deep"),
    # the filter grammar
    "/api/heroes?filter=": ("?filter", "bad_filter"),
    "/api/heroes?filter=age": ("?filter", "bad_filter"),
    "/api/heroes?filter=age%20%3D%3D%201": ("?filter", "bad_filter"),
    "/api/heroes?filter=age%20%3D%20null": ("?filter", "bad_filter"),
    "/api/heroes?filter=(age%20%3D%201": ("?filter", "bad_filter"),
    "/api/heroes?filter=agee%20%3D%201": ("?filter", "unknown_field"),
    "/api/heroes?filter=any(tem)": ("?filter", "unknown_relation"),
    "/api/heroes?filter=any(team%2C%20nam%20%3D%20%22x%22)": ("?filter", "unknown_field"),
    "/api/heroes?filter=age%20%3D%20%22x%22": ("?filter", "bad_value"),
    "/api/heroes?filter=" + "(" * 30 + "age%20%3D%201" + ")" * 30: ("?filter", "filter_too_large"),
    # search
    "/api/teams?q=x": ("?q", "not_searchable"),
    "/api/heroes?q=" + "a+" * 11: ("?q", "too_many"),
}


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path[:60])
def test_mistake_is_400_that_names_the_parameter(ask: Ask, path: str) -> None:
    answer = ask(path)

    assert answer.status_code == 400, answer.text
    faults = [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
    assert faults == [REFUSED[path]]


SUGGESTED = {
    "agee=1": "'age'",
    "team__nam=x": "'name'",
    "tem__name=x": "'team'",
    "filter=naem%20%3D%201": "'name'",
}


@pytest.mark.parametrize("query", SUGGESTED)
def test_close_name_is_suggested(ask: Ask, query: str) -> None:
    assert f"Did you mean {SUGGESTED[query]}?" in ask(f"/api/heroes?{query}").json()["detail"]


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[Any] = mapped_column(JSON, nullable=True)


def test_null_of_json_is_null(database_url: str, fill: Any, serve: Any) -> None:
    """SQLAlchemy writes None into a JSON column as the text null, unless it is told otherwise."""
    notes = [Note(id=1, body=None), Note(id=2, body="null"), Note(id=3, body=[]), Note(id=4)]
    fill(database_url, Base.metadata, notes)
    app = Tilth(database_url)
    app.expose(Note, Policy(read=public))
    served = serve(app)

    assert [row["body"] for row in served("/api/notes").json()["items"]] == [None, "null", [], None]
    assert ids(served("/api/notes?body__isnull=true")) == [1, 4]
    assert ids(served("/api/notes?body__isnull=false")) == [2, 3]
