"""The example answers what its README promises, on both databases."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from starlette.testclient import TestClient

from tilth.kernel.store.sync import create_missing_tables, sync_engine

from .app import heroes
from .data import seed
from .models import Base, Mission, Team

LEAGUE = {"authorization": "Bearer league"}
ACCOUNT = {"authorization": "Bearer user-2"}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata])
    yield engine
    engine.dispose()


@pytest.fixture
def client(database_url: str, engine: Engine) -> Iterator[TestClient]:
    with TestClient(heroes(database_url)) as client:
        yield client


def test_nothing_is_wrong_with_it(sqlite_url: str) -> None:
    assert heroes(sqlite_url).check() == []


def test_seeding_twice_makes_the_rows_once(engine: Engine) -> None:
    made = [seed(engine), seed(engine)]

    assert made[0] > 3000
    assert made[1] == 0


def test_data_is_the_same_on_every_run(engine: Engine) -> None:
    seed(engine)

    with Session(engine) as session:
        last_team = session.scalar(select(Team).order_by(Team.id.desc()).limit(1))
        last_mission = session.scalar(select(Mission).order_by(Mission.id.desc()).limit(1))

    assert last_team is not None
    assert last_mission is not None
    assert last_team.name == "The Copper Tides 40"
    assert last_mission.codename == "Hollow eclipse 338"


def test_what_each_caller_may_see(client: TestClient) -> None:
    """Missing heroes and secret missions are counted only for those who may know of them."""

    def totals(headers: dict[str, str]) -> list[int]:
        paths = ("heroes", "missions", "hero-missions")
        pages = [client.get(f"/api/{p}?count=exact&limit=1", headers=headers) for p in paths]
        return [page.json()["total"] for page in pages]

    assert totals({}) == [758, 339, 840]
    assert totals(ACCOUNT) == [759, 339, 840]
    assert totals(LEAGUE) == [800, 400, 988]


def test_nobody_reads_a_phone_number_and_only_the_league_a_fee(client: TestClient) -> None:
    anyone, league = (client.get("/api/heroes/1", headers=h).json() for h in ({}, LEAGUE))

    assert league.keys() - anyone.keys() == {"daily_fee"}
    assert "emergency_phone" not in league


def test_a_real_name_is_shown_to_its_owner_only(client: TestClient) -> None:
    asked = "/api/heroes?owner_id__isnull=false&fields=owner_id,real_name&limit=200"

    shown = client.get(asked, headers=ACCOUNT).json()["items"]

    assert {row["owner_id"] for row in shown if row["real_name"] is not None} == {"user-2"}


def test_a_secret_mission_stays_secret_behind_a_hero(client: TestClient) -> None:
    nested = "/api/heroes?expand=missions.mission&fields=missions.mission.is_secret&limit=200"

    rows = client.get(nested).json()["items"]

    assert {part["mission"]["is_secret"] for row in rows for part in row["missions"]} == {False}


def test_plain_route_beside_the_generated_ones(sqlite_url: str) -> None:
    answer = TestClient(heroes(sqlite_url)).get("/call-sign/Copper%20Lantern")

    assert answer.json() == {"name": "Copper Lantern", "call_sign": "CPPRLN"}
