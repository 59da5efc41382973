"""What MariaDB does otherwise: the same models, requests and answers all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pymysql
import pytest
from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    ForeignKey,
    LargeBinary,
    Numeric,
    String,
    Text,
    create_engine,
    make_url,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from starlette.testclient import TestClient
from tests.mariadb_server import MariadbServer

from tilth import Actor, Auth, Policy, Tilth, public
from tilth.cli.db.place import place_of
from tilth.errors import CommandError, SetupError, Unavailable
from tilth.kernel.store.engine import refuse_mariadb
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, existing_engine, sync_engine
from tilth.settings import load_settings
from tilth.testing import acting, actor_reader

MOMENT = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=timezone(timedelta(hours=2)))


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    heroes: Mapped[list[Hero]] = relationship(back_populates="team", order_by="Hero.name.desc()")


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    age: Mapped[int | None] = mapped_column(CheckConstraint("age >= 0", name="age_is_real"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")
    deeds: Mapped[list[Deed]] = relationship(back_populates="hero")


class Deed(Base):
    __tablename__ = "deed"
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(Text)
    hero_id: Mapped[int] = mapped_column(ForeignKey("hero.id"))
    hero: Mapped[Hero] = relationship(back_populates="deeds")


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    day: Mapped[date]
    clock: Mapped[time]
    price: Mapped[Decimal] = mapped_column(Numeric(20, 6))
    ratio: Mapped[float]
    is_new: Mapped[bool]
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    blob: Mapped[bytes] = mapped_column(LargeBinary)


THING = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "at": "2026-01-31T21:59:59.123456Z",
    "day": "2026-01-31",
    "clock": "23:59:59.000001",
    "price": "12345678901234.567890",
    "ratio": 0.1,
    "is_new": True,
    "data": {"a": [1, None, "ü\\"]},
    "blob": "AP8n",
}

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(mariadb_url: str) -> Iterator[Ask]:
    engine = sync_engine(mariadb_url)
    create_missing_tables(engine, [Base.metadata, OWN])
    engine.dispose()
    app = Tilth(mariadb_url, readers=[actor_reader])
    for model in (Team, Hero, Deed, Thing):
        app.expose(model, Policy(read=public, write=public))
    with TestClient(app) as client:
        yield lambda path, method="GET", **more: client.request(method, f"/api/{path}", **more)


def made(ask: Ask, path: str, **values: object) -> Any:
    answer = ask(path, "POST", json=values)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_values_of_every_kind_come_back_as_they_went(ask: Ask) -> None:
    created = made(ask, "things", **THING)

    assert created == THING
    assert ask(f"things/{THING['id']}").json() == THING
    assert ask(f"things?at={THING['at']}&price={THING['price']}&blob=AP8n").json()["items"] == [
        THING
    ]


def test_instants_are_aware_in_objects(mariadb_url: str) -> None:
    engine = sync_engine(mariadb_url)
    create_missing_tables(engine, [Base.metadata])
    given = {
        **THING,
        "id": UUID(str(THING["id"])),
        "at": MOMENT,
        "blob": b"\0",
        "price": Decimal(1),
    }
    given |= {"day": date(2026, 1, 31), "clock": time(1), "data": {}}
    with Session(engine) as session:
        session.add(Thing(**given))
        session.flush()
        session.expire_all()
        found = session.scalars(select(Thing)).one()
        assert (found.at, found.at.tzinfo) == (MOMENT, UTC)
    engine.dispose()


def test_texts_differ_by_case_accents_and_spaces(ask: Ask) -> None:
    for name in ("ana", "Ana", "Aná", "Ana "):
        made(ask, "teams", name=name)

    found = ask("teams", params={"name": "Ana"}).json()["items"]

    assert [each["name"] for each in found] == ["Ana"]
    order = [each["name"] for each in ask("teams?sort=name").json()["items"]]
    assert order == ["Ana", "Ana ", "Aná", "ana"]


def test_lists_within_lists_are_in_their_order(ask: Ask) -> None:
    team = made(ask, "teams", name="Red")
    for name in ("Ana", "Cleo", "Bob"):
        hero = made(ask, "heroes", name=name, team_id=team["id"])
        for what in ("one", 'tw"o'):
            made(ask, "deeds", what=what, hero_id=hero["id"])
    made(ask, "teams", name="Empty")

    [red, empty] = ask("teams?expand=heroes.deeds&sort=-name").json()["items"]

    assert [each["name"] for each in red["heroes"]] == ["Cleo", "Bob", "Ana"]
    assert [each["what"] for each in red["heroes"][0]["deeds"]] == ["one", 'tw"o']
    assert empty["heroes"] == []


def test_null_is_the_largest_on_every_page(ask: Ask) -> None:
    for name, age in (("a", None), ("b", 3), ("c", None), ("d", 1)):
        made(ask, "heroes", name=name, age=age)

    first = ask("heroes?sort=age,name&limit=3").json()
    second = ask(first["next"].partition("/api/")[2]).json()
    down = ask("heroes?sort=-age,name").json()["items"]

    assert [each["name"] for each in first["items"] + second["items"]] == ["d", "b", "a", "c"]
    assert [each["name"] for each in down] == ["a", "c", "b", "d"]


REFUSED = [
    ("teams", {"name": "Red"}, 409, "unique", "/name"),
    ("heroes", {"name": "x", "team_id": 99}, 409, "no_such_row", "/team_id"),
    ("heroes", {"name": "x", "age": -1}, 422, "check", "/age"),
    ("heroes", {"name": "x" * 41}, 422, "bad_value", "/name"),
]


@pytest.mark.parametrize(("path", "body", "status", "code", "pointer"), REFUSED)
def test_what_is_refused_is_told_by_field(
    ask: Ask, path: str, body: dict[str, object], status: int, code: str, pointer: str
) -> None:
    made(ask, "teams", name="Red")

    answer = ask(path, "POST", json=body)

    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["pointer"]) == (status, pointer)
    assert fault["code"] == code or answer.json()["code"] == code


def test_a_repeated_change_is_made_once(ask: Ask) -> None:
    headers = {"Idempotency-Key": "k" * 20, **acting(Actor("ana"))}

    first = ask("teams", "POST", json={"name": "Red"}, headers=headers)
    again = ask("teams", "POST", json={"name": "Red"}, headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert len(ask("teams").json()["items"]) == 1


def test_a_database_that_mixes_texts_up_is_refused(mariadb_server: MariadbServer) -> None:
    with mariadb_server.new_database() as url:
        where = make_url(url)
        with pymysql.connect(host=where.host, port=where.port or 0, user="root") as connection:
            connection.cursor().execute(
                f"ALTER DATABASE {where.database} COLLATE utf8mb4_general_ci"
            )
        engine = sync_engine(url)

        with pytest.raises(Unavailable, match="compares texts"):
            create_missing_tables(engine, [Base.metadata])
        engine.dispose()


Run = Callable[[str], object]
ELSEWHERE_ONLY: list[tuple[Run, str]] = [
    (existing_engine, "Databases of other programs are"),
    (lambda url: refuse_mariadb(url, "Migrations are"), "Migrations are"),
    (place_of, "Commands of tilth db are"),
]


@pytest.mark.parametrize(("do", "said"), ELSEWHERE_ONLY, ids=[said for _, said in ELSEWHERE_ONLY])
def test_what_works_elsewhere_only_is_refused(do: Run, said: str) -> None:
    with pytest.raises(CommandError, match=f"{said} not supported on MariaDB"):
        do("mysql://root@localhost/x")


def test_accounts_are_refused(mariadb_url: str) -> None:
    settings = load_settings({"TILTH_ENVIRONMENT": "development"})
    app = Tilth(mariadb_url, auth=Auth(), settings=settings)

    with pytest.raises(SetupError, match="accounts cannot be kept on MariaDB"):
        app.freeze()


def test_a_url_of_mysql_means_mariadb(mariadb_url: str) -> None:
    engine = create_engine(make_url(mariadb_url).set(drivername="mysql+pymysql"))
    assert engine.dialect.name == "mysql"

    ours = sync_engine(mariadb_url.replace("mariadb:", "mysql:"))

    with ours.connect() as connection:
        assert connection.dialect.name == "mariadb"
    ours.dispose()
