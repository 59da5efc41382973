"""What a list answers: which fields, what is expanded, in which order, how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Policy, Tilth, public

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


abilities = Table(
    "abilities",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("power_id", ForeignKey("power.id"), primary_key=True),
)


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(back_populates="team", order_by="Hero.age.desc()")


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int | None]
    notes: Mapped[bytes | None]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")
    powers: Mapped[list[Power]] = relationship(secondary=abilities, back_populates="heroes")


class Power(Base):
    __tablename__ = "power"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(secondary=abilities, back_populates="powers")


def world() -> list[Base]:
    red, blue, empty = (Team(id=n, name=name) for n, name in ((1, "Red"), (2, "Blue"), (3, "No")))
    flight, x_ray = Power(id=1, name="flight"), Power(id=2, name="x-ray")
    return [
        Hero(id=1, name="Ana", age=30, team=red, powers=[x_ray, flight]),
        Hero(id=2, name="Bo", age=None, team=red, powers=[flight]),
        Hero(id=3, name="Cy", age=20, team=blue),
        Hero(id=4, name="Di", age=30),
        empty,
    ]


@pytest.fixture(scope="module")
def ask(module_url: str, fill: Any, serve_for_module: Any) -> Ask:
    fill(module_url, Base.metadata, world())
    app = Tilth(module_url)
    for model in (Team, Hero, Power):
        app.expose(model, Policy(read=public))
    served: Ask = serve_for_module(app)
    return served


RED, BLUE = {"id": 1, "name": "Red"}, {"id": 2, "name": "Blue"}
FLIGHT, X_RAY = {"id": 1, "name": "flight"}, {"id": 2, "name": "x-ray"}
ANA = {"id": 1, "name": "Ana", "age": 30, "notes": None, "team_id": 1}
BO = {"id": 2, "name": "Bo", "age": None, "notes": None, "team_id": 1}
CY = {"id": 3, "name": "Cy", "age": 20, "notes": None, "team_id": 2}
DI = {"id": 4, "name": "Di", "age": 30, "notes": None, "team_id": None}
NO = {"id": 3, "name": "No"}


def test_list_is_every_row_in_the_order_of_its_key(ask: Ask) -> None:
    assert ask("/api/heroes").json() == {"items": [ANA, BO, CY, DI], "next": None, "prev": None}


LISTS: dict[str, list[Any]] = {
    # fields
    "/api/heroes?fields=name&limit=1": [{"name": "Ana"}],
    "/api/heroes?fields=age,id,age&limit=1": [{"age": 30, "id": 1}],
    "/api/heroes?fields=id&expand=team&limit=1": [{"id": 1, "team": RED}],
    "/api/heroes?fields=id,team.name&expand=team&limit=1": [{"id": 1, "team": {"name": "Red"}}],
    "/api/heroes?fields=team.name&expand=team&limit=1": [{**ANA, "team": {"name": "Red"}}],
    "/api/heroes?fields=id,team&expand=team&limit=1": [{"id": 1, "team": RED}],
    "/api/heroes?fields=id,team.heroes.name&expand=team.heroes&limit=1": [
        {"id": 1, "team": {**RED, "heroes": [{"name": "Bo"}, {"name": "Ana"}]}}
    ],
    # expand: to-one, to-many, many-to-many, missing and empty
    "/api/heroes?expand=team": [
        {**ANA, "team": RED},
        {**BO, "team": RED},
        {**CY, "team": BLUE},
        {**DI, "team": None},
    ],
    "/api/teams?expand=heroes": [
        {**RED, "heroes": [BO, ANA]},
        {**BLUE, "heroes": [CY]},
        {**NO, "heroes": []},
    ],
    "/api/heroes?expand=powers&fields=id": [
        {"id": 1, "powers": [FLIGHT, X_RAY]},
        {"id": 2, "powers": [FLIGHT]},
        {"id": 3, "powers": []},
        {"id": 4, "powers": []},
    ],
    "/api/heroes?expand=powers,team&fields=id&id=2": [{"id": 2, "powers": [FLIGHT], "team": RED}],
    "/api/teams?expand=heroes.powers&id=1": [
        {**RED, "heroes": [{**BO, "powers": [FLIGHT]}, {**ANA, "powers": [FLIGHT, X_RAY]}]}
    ],
    "/api/powers?expand=heroes.team.heroes&id=2": [
        {**X_RAY, "heroes": [{**ANA, "team": {**RED, "heroes": [BO, ANA]}}]}
    ],
    "/api/heroes?expand=team.heroes.team.heroes&id=3&fields=id": [
        {"id": 3, "team": {**BLUE, "heroes": [{**CY, "team": {**BLUE, "heroes": [CY]}}]}}
    ],
    "/api/heroes?expand=team__heroes&id=3&fields=id": [{"id": 3, "team": {**BLUE, "heroes": [CY]}}],
    # sort: NULL is the largest, also through a relation that is missing
    "/api/heroes?sort=age&fields=id": [{"id": n} for n in (3, 1, 4, 2)],
    "/api/heroes?sort=-age&fields=id": [{"id": n} for n in (2, 1, 4, 3)],
    "/api/heroes?sort=-age,-id&fields=id": [{"id": n} for n in (2, 4, 1, 3)],
    "/api/heroes?sort=team.name,-name&fields=id": [{"id": n} for n in (3, 2, 1, 4)],
    "/api/heroes?sort=-team__name&fields=id": [{"id": n} for n in (4, 1, 2, 3)],
    "/api/heroes?sort=name,name,-name&fields=id": [{"id": n} for n in (1, 2, 3, 4)],
    # limit and offset
    "/api/heroes?limit=2&fields=id": [{"id": 1}, {"id": 2}],
    "/api/heroes?limit=2&offset=3&fields=id": [{"id": 4}],
    "/api/heroes?offset=4": [],
    "/api/heroes?offset=1000000000": [],
    # sub-collections have all of it too
    "/api/teams/1/heroes?sort=-name&fields=name": [{"name": "Bo"}, {"name": "Ana"}],
    "/api/teams/1/heroes?limit=1&offset=1&fields=id": [{"id": 2}],
    "/api/teams/3/heroes": [],
    "/api/heroes/1/powers?expand=heroes&fields=id,heroes.id": [
        {"id": 1, "heroes": [{"id": 1}, {"id": 2}]},
        {"id": 2, "heroes": [{"id": 1}]},
    ],
}


@pytest.mark.parametrize("path", LISTS)
def test_list(ask: Ask, path: str) -> None:
    answer = ask(path)

    assert (answer.status_code, answer.json().get("items")) == (200, LISTS[path])


ROWS: dict[str, Any] = {
    "/api/heroes/1": ANA,
    "/api/heroes/1?fields=name": {"name": "Ana"},
    "/api/heroes/1?fields=name&expand=team,powers": {
        "name": "Ana",
        "team": RED,
        "powers": [FLIGHT, X_RAY],
    },
    "/api/heroes/4?expand=team&fields=id": {"id": 4, "team": None},
    "/api/teams/3?expand=heroes.team": {**NO, "heroes": []},
}


@pytest.mark.parametrize("path", ROWS)
def test_row(ask: Ask, path: str) -> None:
    assert ask(path).json() == ROWS[path]


def test_members_stand_in_the_order_asked_for(ask: Ask) -> None:
    row = ask("/api/heroes/1?fields=team_id,name,id&expand=powers,team").json()

    assert list(row) == ["team_id", "name", "id", "powers", "team"]


COUNTS = {
    "/api/heroes?count=exact&limit=1": 4,
    "/api/heroes?count=estimated&limit=1": 4,
    "/api/heroes?count=exact&age=30": 2,
    "/api/heroes?count=exact&offset=99": 4,
    "/api/heroes?count=exact&age=99": 0,
    "/api/teams/1/heroes?count=exact&limit=1": 2,
    "/api/heroes/1/powers?count=exact": 2,
    "/api/teams/3/heroes?count=exact": 0,
}


@pytest.mark.parametrize("path", COUNTS)
def test_total_counts_all_rows_of_the_list(ask: Ask, path: str) -> None:
    assert ask(path).json()["total"] == COUNTS[path]


def test_total_is_not_there_unless_asked_for(ask: Ask) -> None:
    assert "total" not in ask("/api/heroes?count=none").json()


def test_offset_pages_lead_on_and_back(ask: Ask) -> None:
    first = ask("/api/heroes?offset=0&limit=3&sort=name").json()
    second = ask(first["next"]).json()

    assert (first["prev"], second["next"]) == (None, None)
    assert second["items"] == [DI]
    assert ask(second["prev"]).json()["items"] == [ANA, BO, CY]


LINKS = {
    "/api/heroes?limit=2": ["next", "service-desc"],
    "/api/heroes?limit=2&offset=2": ["prev", "service-desc"],
    "/api/heroes": ["service-desc"],
    "/api/heroes/1": ["collection", "service-desc"],
    "/api/teams/1/heroes": ["service-desc"],
}


@pytest.mark.parametrize("path", LINKS)
def test_link_header_names(ask: Ask, path: str) -> None:
    answer = ask(path)

    assert sorted(map(str, answer.links)) == LINKS[path]
    assert answer.links["service-desc"]["url"] == "/openapi.json"
    if "next" in answer.links:
        assert answer.links["next"]["url"] == answer.json()["next"]


REFUSED = {
    "limit=0": ("?limit", "out_of_range"),
    "limit=201": ("?limit", "out_of_range"),
    "limit=-1": ("?limit", "bad_value"),
    "limit=": ("?limit", "bad_value"),
    "limit=1.0": ("?limit", "bad_value"),
    "limit=%D9%A1": ("?limit", "bad_value"),
    "limit=1&limit=2": ("?limit", "repeated"),
    "offset=-1": ("?offset", "bad_value"),
    "offset=1000000001": ("?offset", "out_of_range"),
    "count=yes": ("?count", "bad_value"),
    "fields=": ("?fields", None),
    "fields=id,nam": ("?fields", "unknown_field"),
    "fields=team": ("?fields", "unknown_field"),
    "fields=team.name": ("?fields", "unknown_field"),
    "fields=team.nam&expand=team": ("?fields", "unknown_field"),
    "expand=tem": ("?expand", "unknown_relation"),
    "expand=name": ("?expand", "unknown_relation"),
    "expand=team.heros": ("?expand", "unknown_relation"),
    "expand=team.heroes.team.heroes.team": ("?expand", "too_deep"),
    "expand=" + ",".join(["team"] * 21): ("?expand", "too_many"),
    "sort=nam": ("?sort", "unknown_field"),
    "sort=--name": ("?sort", "unknown_field"),
    "sort=notes": ("?sort", "not_sortable"),
    "sort=powers.name": ("?sort", "not_sortable"),
    "sort=team": ("?sort", "not_sortable"),
    "sort=team.nam": ("?sort", "unknown_field"),
    "sort=tem.name": ("?sort", "unknown_relation"),
    "sort=" + ",".join(["name"] * 9): ("?sort", "too_many"),
}


@pytest.mark.parametrize("query", REFUSED)
def test_mistake_is_400_that_names_the_parameter(ask: Ask, query: str) -> None:
    answer = ask(f"/api/heroes?{query}")

    [fault] = answer.json()["errors"]
    pointer, code = REFUSED[query]
    assert (answer.status_code, fault["pointer"]) == (400, pointer), answer.text
    assert code in (None, fault["code"])


SUGGESTED = {
    "fields=nam": "'name'",
    "sort=-agee": "'age'",
    "expand=powrs": "'powers'",
    "expand=team.heros": "'heroes'",
    "sort=taem.name": "'team'",
}


@pytest.mark.parametrize("query", SUGGESTED)
def test_close_name_is_suggested(ask: Ask, query: str) -> None:
    assert f"Did you mean {SUGGESTED[query]}?" in ask(f"/api/heroes?{query}").json()["detail"]


REPEATED = {
    "limit=1&limit=2": "Give limit once.",
    "sort=id&sort=name": "Give sort once; separate names by commas.",
    "filter=id%3D1&filter=id%3D2": "Give filter once; join conditions by and.",
    "q=a&q=b": "Give q once; separate words by spaces.",
}


@pytest.mark.parametrize("query", REPEATED)
def test_repeated_parameter_is_told_how_to_be_written_once(ask: Ask, query: str) -> None:
    assert ask(f"/api/heroes?{query}").json()["detail"] == REPEATED[query]


def test_default_limit_is_50_and_the_most_200(database_url: str, fill: Any, serve: Any) -> None:
    powers = [{"id": n, "name": "x"} for n in range(250)]
    fill(database_url, Base.metadata, rows={Power: powers})
    app = Tilth(database_url)
    app.expose(Power, Policy(read=public))
    ask = serve(app)

    assert len(ask("/api/powers").json()["items"]) == 50
    assert len(ask("/api/powers?limit=200").json()["items"]) == 200


def test_estimated_count_is_near_the_truth_of_many_rows(
    database_url: str, fill: Any, serve: Any
) -> None:
    powers = [{"id": n, "name": "x"} for n in range(10_050)]
    fill(database_url, Base.metadata, rows={Power: powers})
    app = Tilth(database_url)
    app.expose(Power, Policy(read=public))

    total = serve(app)("/api/powers?count=estimated&limit=1").json()["total"]

    assert 10_000 < total < 100_000
