"""Litestar and Advanced Alchemy, as their documentation writes it.

Async sessions from the SQLAlchemy plugin, a service over a repository, msgspec structs as answers,
relations loaded with selectinload.
"""

import hashlib
import os
from datetime import date

import msgspec
from advanced_alchemy.base import AdvancedDeclarativeBase, CommonTableAttributes
from advanced_alchemy.exceptions import NotFoundError
from advanced_alchemy.extensions.litestar import (
    AsyncSessionConfig,
    EngineConfig,
    SQLAlchemyAsyncConfig,
    SQLAlchemyPlugin,
    repository,
    service,
)
from advanced_alchemy.filters import LimitOffset
from litestar import Litestar, Request, get, patch, post
from litestar.di import Provide
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.response import Response
from sqlalchemy import ForeignKey, String, event, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column, relationship, selectinload

URL = os.environ["TILTH_DATABASE"]
IS_SQLITE = URL.startswith("sqlite")


class Base(CommonTableAttributes, AdvancedDeclarativeBase):
    __abstract__ = True


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    city: Mapped[str] = mapped_column(String(80))
    heroes: Mapped[list["Hero"]] = relationship(back_populates="team", order_by="Hero.id")


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    city: Mapped[str] = mapped_column(String(80))
    age: Mapped[int | None]
    score: Mapped[int]
    rating: Mapped[float]
    is_active: Mapped[bool]
    joined: Mapped[date]
    owner_id: Mapped[str | None] = mapped_column(String(40))
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team] = relationship(back_populates="heroes")


class HeroOut(msgspec.Struct):
    id: int
    name: str
    city: str
    age: int | None
    score: int
    rating: float
    is_active: bool
    joined: date
    owner_id: str | None
    team_id: int


class TeamOut(msgspec.Struct):
    id: int
    name: str
    city: str


class HeroWithTeam(HeroOut):
    team: TeamOut


class TeamWithHeroes(TeamOut):
    heroes: list[HeroOut]


class Heroes(msgspec.Struct):
    items: list[HeroOut]
    next: str | None = None


class HeroesWithTeam(msgspec.Struct):
    items: list[HeroWithTeam]


class TeamsWithHeroes(msgspec.Struct):
    items: list[TeamWithHeroes]


class HeroesCounted(msgspec.Struct):
    items: list[HeroOut]
    total: int


class HeroIn(msgspec.Struct):
    name: str
    city: str
    score: int
    rating: float
    joined: date
    team_id: int
    age: int | None = None
    is_active: bool = True


class HeroPatch(msgspec.Struct):
    score: int


class HeroService(service.SQLAlchemyAsyncRepositoryService[Hero]):
    class Repo(repository.SQLAlchemyAsyncRepository[Hero]):
        model_type = Hero

    repository_type = Repo


class TeamService(service.SQLAlchemyAsyncRepositoryService[Team]):
    class Repo(repository.SQLAlchemyAsyncRepository[Team]):
        model_type = Team

    repository_type = Repo


async def provide_heroes(db_session: AsyncSession) -> HeroService:
    return HeroService(session=db_session)


async def provide_teams(db_session: AsyncSession) -> TeamService:
    return TeamService(session=db_session)


async def provide_owner(request: Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    if header != "Bearer bench-token":
        raise NotAuthorizedException
    return "user-1"


def visible(owner: str | None) -> list:
    return [] if owner is None else [Hero.owner_id == owner]


def hero_out(hero: Hero) -> HeroOut:
    return msgspec.convert(hero, HeroOut, from_attributes=True)


@get("/api/heroes/{hero_id:int}")
async def read_hero(hero_id: int, heroes: HeroService, owner: str | None) -> Response[HeroOut]:
    try:
        hero = await heroes.get_one(Hero.id == hero_id, *visible(owner))
    except NotFoundError as exc:
        raise HTTPException(status_code=404) from exc
    shown = hero_out(hero)
    return Response(shown, headers={"etag": etag(shown)})


@get("/api/heroes")
async def read_heroes(heroes: HeroService, owner: str | None, limit: int = 50) -> Heroes:
    found = await heroes.list(*visible(owner), LimitOffset(limit, 0), order_by=(Hero.id, False))
    return Heroes([hero_out(hero) for hero in found])


@get("/api/heroes-with-team")
async def read_heroes_with_team(
    heroes: HeroService, owner: str | None, limit: int = 50
) -> HeroesWithTeam:
    found = await heroes.list(
        *visible(owner),
        LimitOffset(limit, 0),
        order_by=(Hero.id, False),
        load=[selectinload(Hero.team)],
    )
    return HeroesWithTeam(msgspec.convert(found, list[HeroWithTeam], from_attributes=True))


@get("/api/teams-with-heroes")
async def read_teams_with_heroes(
    teams: TeamService, owner: str | None, limit: int = 20
) -> TeamsWithHeroes:
    loaded = Team.heroes if owner is None else Team.heroes.and_(Hero.owner_id == owner)
    found = await teams.list(
        LimitOffset(limit, 0), order_by=(Team.id, False), load=[selectinload(loaded)]
    )
    return TeamsWithHeroes(msgspec.convert(found, list[TeamWithHeroes], from_attributes=True))


@get("/api/heroes-by-score")
async def read_heroes_by_score(
    heroes: HeroService, owner: str | None, min_age: int, limit: int = 50, after: str | None = None
) -> Heroes:
    terms = [Hero.age >= min_age, *visible(owner)]
    if after is not None:
        score, key = map(int, after.split(","))
        terms.append(tuple_(Hero.score, Hero.id) < tuple_(score, key))
    ordering = [(Hero.score, True), (Hero.id, True)]
    found = await heroes.list(*terms, LimitOffset(limit, 0), order_by=ordering)
    last = f"{found[-1].score},{found[-1].id}"
    address = f"/api/heroes-by-score?min_age={min_age}&limit={limit}&after={last}"
    return Heroes([hero_out(hero) for hero in found], address)


@get("/api/heroes-counted")
async def read_heroes_counted(
    heroes: HeroService, owner: str | None, limit: int = 1
) -> HeroesCounted:
    found, total = await heroes.list_and_count(
        *visible(owner), LimitOffset(limit, 0), order_by=(Hero.id, False)
    )
    return HeroesCounted([hero_out(hero) for hero in found], total)


@post("/api/heroes")
async def create_hero(data: HeroIn, heroes: HeroService, owner: str | None) -> HeroOut:
    made = await heroes.create({**msgspec.structs.asdict(data), "owner_id": owner})
    return hero_out(made)


@post("/api/heroes/batch")
async def create_heroes(data: list[HeroIn], heroes: HeroService, owner: str | None) -> Heroes:
    rows = [{**msgspec.structs.asdict(each), "owner_id": owner} for each in data]
    return Heroes([hero_out(hero) for hero in await heroes.create_many(rows)])


@patch("/api/heroes/{hero_id:int}")
async def update_hero(
    hero_id: int, data: HeroPatch, request: Request, heroes: HeroService, owner: str | None
) -> Response[HeroOut]:
    try:
        hero = await heroes.get_one(Hero.id == hero_id, *visible(owner), with_for_update=True)
    except NotFoundError as exc:
        raise HTTPException(status_code=404) from exc
    sent = request.headers.get("if-match")
    if sent is not None and sent != etag(hero_out(hero)):
        raise HTTPException(status_code=412)
    changed = hero_out(await heroes.update({"score": data.score}, item_id=hero_id))
    return Response(changed, headers={"etag": etag(changed)})


def etag(hero: HeroOut) -> str:
    digest = hashlib.blake2b(msgspec.json.encode(hero), digest_size=12).hexdigest()
    return f'"{digest}"'


config = SQLAlchemyAsyncConfig(
    connection_string=URL.replace("sqlite:", "sqlite+aiosqlite:").replace(
        "postgresql:", "postgresql+asyncpg:"
    ),
    before_send_handler="autocommit",
    session_config=AsyncSessionConfig(expire_on_commit=False),
    engine_config=EngineConfig() if IS_SQLITE else EngineConfig(pool_size=20),
)

if IS_SQLITE:

    @event.listens_for(config.get_engine().sync_engine, "connect")
    def set_pragmas(connection, _record) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")


app = Litestar(
    [
        *(read_hero, read_heroes, read_heroes_with_team, read_teams_with_heroes),
        *(read_heroes_by_score, read_heroes_counted, create_hero, create_heroes, update_hero),
    ],
    dependencies={
        "heroes": Provide(provide_heroes),
        "teams": Provide(provide_teams),
        "owner": Provide(provide_owner),
    },
    plugins=[SQLAlchemyPlugin(config)],
)
