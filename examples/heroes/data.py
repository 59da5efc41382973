"""Some four thousand invented rows, the same on every machine and on every run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Engine, exists, select
from sqlalchemy.orm import Session

from .models import Base, Hero, HeroMission, Mission, Outcome, Part, Power, Status, Team

TEAMS, HEROES, MISSIONS = 40, 800, 400
FIRST_DAY = date(1994, 3, 1)

T = TypeVar("T")

COLOURS = [
    "Copper",
    "Quiet",
    "Ninth",
    "Paper",
    "Amber",
    "Hollow",
    "Velvet",
    "Crooked",
    "Silver",
    "Patient",
    "Salt",
    "Second",
]
THINGS = [
    "Lantern",
    "Tide",
    "Heron",
    "Clockwork",
    "Bramble",
    "Comet",
    "Anvil",
    "Sparrow",
    "Kettle",
    "Meridian",
    "Owl",
]
FOREIGN = (
    "Żółta Sowa",
    "Éclat d'Acier",
    "夜の狐",
    "Ночной Кит",
    "नीला बादल",
    "Ψυχρή Φλόγα",
    "Ördög-szem",
)
FIRST = [
    "Bram",
    "Ouda",
    "Tisel",
    "Jorun",
    "Maelo",
    "Ketta",
    "Sorrin",
    "Avel",
    "Nuri",
    "Dask",
    "Ilvi",
    "Ørjan",
    "Zsófi",
    "Léanne",
]
LAST = [
    "Tosk",
    "Venn",
    "Harrowby",
    "Quillen",
    "Åsmark",
    "Dûval",
    "Ortoli",
    "Pemble",
    "Żurek",
    "Mbaraka",
    "Sandoval-Ney",
]
CITIES = ("Port Averil", "Lindenmoor", "São Tirso", "Kestrel Bay", "Übersteig", "Nakuro", "Vell")
MOTTOES = ("Nobody falls twice", "Always on time", "« Toujours ailleurs »", "100% calm_, 0% panic")
POWERS = (
    "Flight", "Invisibility", "Very good hearing", "Talks to pigeons", "Ice", "Fire", "Magnetism",
    "Never gets lost", "Telepathy", "Perfect soup", "Shrinking", "Growing", "Time (5 s)", "Echo",
    "Walks through walls", "Stops trams", "Night sight", "Weather", "Mirrors", "Luck",
    "Élasticité", "影", "Static electricity", "Knows every song",
)  # fmt: skip
TROUBLES = [
    "flood",
    "heist",
    "blackout",
    "kidnapping",
    "eclipse",
    "stampede",
    "landslide",
    "riddle",
    "leak",
    "parade",
]


def seed(engine: Engine) -> int:
    """Fill the tables, which must exist, unless there are teams already. Answers rows made."""
    with Session(engine) as session, session.begin():
        if session.scalar(select(exists(select(Team.id)))):
            return 0
        rows = list(_rows(session, Random(1)))
        return len(rows) + sum(len(row.powers) for row in rows if isinstance(row, Hero))


def _rows(session: Session, rng: Random) -> Iterator[Base]:
    """Each kind is flushed before the next, so that keys follow the order rows are made in."""
    teams = _kept(session, [_team(rng, number) for number in range(TEAMS)])
    powers = _kept(session, [_power(rng, name) for name in POWERS])
    heroes = _kept(session, [_hero(rng, number, teams, powers) for number in range(HEROES)])
    for number, hero in enumerate(heroes[1:], start=1):
        hero.mentor = rng.choice([None, None, heroes[rng.randrange(number)]])
    missions = _kept(session, [_mission(rng, number) for number in range(MISSIONS)])
    parts = _kept(session, [part for each in missions for part in _parts(rng, each, heroes)])
    yield from (*teams, *powers, *heroes, *missions, *parts)


def _kept(session: Session, rows: list[T]) -> list[T]:
    session.add_all(rows)
    session.flush()
    return rows


def _team(rng: Random, number: int) -> Team:
    return Team(
        name=f"The {rng.choice(COLOURS)} {rng.choice(THINGS)}s {number + 1}",
        city=rng.choice(CITIES),
        motto=_maybe(rng, rng.choice(MOTTOES)),
        founded_on=_day(rng),
        budget=_maybe(rng, _money(rng, 5_000_000)),
    )


def _power(rng: Random, name: str) -> Power:
    description = f"{name}, as far as anyone has measured."
    return Power(name=name, description=_maybe(rng, description), is_dangerous=rng.random() < 0.3)


def _hero(rng: Random, number: int, teams: list[Team], powers: list[Power]) -> Hero:
    public_name = f"{rng.choice(COLOURS)} {rng.choice(THINGS)}"
    return Hero(
        name=rng.choice(FOREIGN) if number % 19 == 0 else public_name,
        real_name=_maybe(rng, f"{rng.choice(FIRST)} {rng.choice(LAST)}"),
        emergency_phone=f"+999 {rng.randrange(10**7):07d}",
        owner_id=_maybe(rng, f"user-{rng.randrange(1, 200)}"),
        status=rng.choices(list(Status), weights=(85, 10, 5))[0],
        born_on=_maybe(rng, _day(rng) - timedelta(days=8000)),
        height_metres=_maybe(rng, round(rng.uniform(0.4, 3.1), 2)),
        daily_fee=_maybe(rng, _money(rng, 900)),
        joined_at=_moment(rng),
        team=_maybe(rng, rng.choice(teams)),
        powers=rng.sample(powers, rng.choice((0, 1, 1, 2, 2, 3, 5))),
    )


def _mission(rng: Random, number: int) -> Mission:
    trouble, city = rng.choice(TROUBLES), rng.choice(CITIES)
    minutes = rng.randrange(5, 5000)
    return Mission(
        id=UUID(int=rng.getrandbits(128), version=4),
        codename=f"{rng.choice(COLOURS)} {trouble} {number + 1}",
        brief=_maybe(rng, f"A {trouble} in {city}.\nBring: rope, tea, “patience”."),
        is_secret=rng.random() < 0.15,
        starts_at=_moment(rng),
        lasted=_maybe(rng, timedelta(minutes=minutes)),
        reward=_maybe(rng, _money(rng, 100_000)),
    )


def _parts(rng: Random, mission: Mission, heroes: list[Hero]) -> Iterator[HeroMission]:
    outcome = _maybe(rng, rng.choice(list(Outcome)))
    for hero in rng.sample(heroes, rng.randrange(6)):
        yield HeroMission(
            hero=hero,
            mission=mission,
            part=rng.choice(list(Part)),
            outcome=outcome,
            stars=_maybe(rng, rng.randrange(6)) if outcome else None,
        )


def _maybe(rng: Random, value: T) -> T | None:
    """The value, or nothing one time in five."""
    return None if rng.random() < 0.2 else value


def _day(rng: Random) -> date:
    return FIRST_DAY + timedelta(days=rng.randrange(11_000))


def _moment(rng: Random) -> datetime:
    midnight = datetime.combine(_day(rng), datetime.min.time(), UTC)
    return midnight + timedelta(microseconds=rng.randrange(24 * 3600 * 10**6))


def _money(rng: Random, most: int) -> Decimal:
    return Decimal(rng.randrange(most * 100)).scaleb(-2)
