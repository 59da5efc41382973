"""FastAPI and SQLModel, as SQLModel's tutorial and FastAPI's pages on SQL databases write it.

Sessions are a dependency, endpoints are `def` (FastAPI runs them in threads), answers are declared
by response models, relations are loaded with selectinload, and the engine pools its connections.
"""

import hashlib
import os
from collections.abc import Iterator
from datetime import date
from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import event, func
from sqlalchemy.orm import selectinload
from sqlmodel import Field, Relationship, Session, SQLModel, create_engine, select, tuple_

URL = os.environ["TILTH_DATABASE"]
IS_SQLITE = URL.startswith("sqlite")
engine = (
    create_engine(URL, connect_args={"check_same_thread": False})
    if IS_SQLITE
    else create_engine(URL.replace("postgresql:", "postgresql+psycopg:"), pool_size=20)
)

if IS_SQLITE:

    @event.listens_for(engine, "connect")
    def set_pragmas(connection, _record) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")


class TeamBase(SQLModel):
    name: str
    city: str


class Team(TeamBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(
        back_populates="team", sa_relationship_kwargs={"order_by": "Hero.id"}
    )


class HeroBase(SQLModel):
    name: str = Field(max_length=80)
    city: str = Field(max_length=80)
    age: int | None = None
    score: int
    rating: float
    is_active: bool = True
    joined: date


class HeroCreate(HeroBase):
    team_id: int


class HeroUpdate(SQLModel):
    score: int | None = None


class Hero(HeroBase, table=True):
    id: int | None = Field(default=None, primary_key=True)
    owner_id: str | None = None
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(back_populates="heroes")


class HeroPublic(SQLModel):
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


class TeamPublic(TeamBase):
    id: int


class HeroWithTeam(HeroPublic):
    team: TeamPublic


class TeamWithHeroes(TeamPublic):
    heroes: list[HeroPublic]


class Heroes(SQLModel):
    items: list[HeroPublic]
    next: str | None = None


class HeroesWithTeam(SQLModel):
    items: list[HeroWithTeam]


class TeamsWithHeroes(SQLModel):
    items: list[TeamWithHeroes]


class HeroesCounted(Heroes):
    total: int


def session() -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


bearer = HTTPBearer(auto_error=False)


def owner(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str | None:
    if credentials is None:
        return None
    if credentials.credentials != "bench-token":
        raise HTTPException(401)
    return "user-1"


Opened = Annotated[Session, Depends(session)]
Owner = Annotated[str | None, Depends(owner)]
app = FastAPI()


def visible(statement, owner: str | None):
    return statement if owner is None else statement.where(Hero.owner_id == owner)


@app.get("/api/heroes/{hero_id}")
def read_hero(hero_id: int, session: Opened, owner: Owner, response: Response) -> HeroPublic:
    hero = session.exec(visible(select(Hero).where(Hero.id == hero_id), owner)).first()
    if hero is None:
        raise HTTPException(404)
    response.headers["etag"] = etag(hero)
    return hero


@app.get("/api/heroes")
def read_heroes(session: Opened, owner: Owner, limit: int = 50) -> Heroes:
    heroes = session.exec(visible(select(Hero), owner).order_by(Hero.id).limit(limit)).all()
    return Heroes(items=heroes)


@app.get("/api/heroes-with-team", response_model=HeroesWithTeam)
def read_heroes_with_team(session: Opened, owner: Owner, limit: int = 50):
    statement = visible(select(Hero), owner).options(selectinload(Hero.team))
    return {"items": session.exec(statement.order_by(Hero.id).limit(limit)).all()}


@app.get("/api/teams-with-heroes", response_model=TeamsWithHeroes)
def read_teams_with_heroes(session: Opened, owner: Owner, limit: int = 20):
    loaded = Team.heroes if owner is None else Team.heroes.and_(Hero.owner_id == owner)
    statement = select(Team).options(selectinload(loaded)).order_by(Team.id).limit(limit)
    return {"items": session.exec(statement).all()}


@app.get("/api/heroes-by-score")
def read_heroes_by_score(
    session: Opened, owner: Owner, min_age: int, limit: int = 50, after: str | None = None
) -> Heroes:
    statement = visible(select(Hero).where(Hero.age >= min_age), owner)
    if after is not None:
        score, hero_id = map(int, after.split(","))
        statement = statement.where(tuple_(Hero.score, Hero.id) < tuple_(score, hero_id))
    statement = statement.order_by(Hero.score.desc(), Hero.id.desc()).limit(limit)
    heroes = session.exec(statement).all()
    last = f"{heroes[-1].score},{heroes[-1].id}"
    address = f"/api/heroes-by-score?min_age={min_age}&limit={limit}&after={last}"
    return Heroes(items=heroes, next=address)


@app.get("/api/heroes-counted")
def read_heroes_counted(session: Opened, owner: Owner, limit: int = 1) -> HeroesCounted:
    total = session.exec(visible(select(func.count()).select_from(Hero), owner)).one()
    heroes = session.exec(visible(select(Hero), owner).order_by(Hero.id).limit(limit)).all()
    return HeroesCounted(items=heroes, total=total)


@app.post("/api/heroes", status_code=201)
def create_hero(new: HeroCreate, session: Opened, owner: Owner) -> HeroPublic:
    hero = Hero.model_validate(new, update={"owner_id": owner})
    session.add(hero)
    session.commit()
    session.refresh(hero)
    return hero


@app.post("/api/heroes/batch", status_code=201)
def create_heroes(new: list[HeroCreate], session: Opened, owner: Owner) -> Heroes:
    heroes = [Hero.model_validate(each, update={"owner_id": owner}) for each in new]
    session.add_all(heroes)
    session.flush()
    answer = Heroes(items=heroes)
    session.commit()
    return answer


@app.patch("/api/heroes/{hero_id}")
def update_hero(
    hero_id: int,
    change: HeroUpdate,
    session: Opened,
    owner: Owner,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> HeroPublic:
    statement = select(Hero).where(Hero.id == hero_id)
    hero = session.exec(visible(statement, owner).with_for_update()).first()
    if hero is None:
        raise HTTPException(404)
    if if_match is not None and if_match != etag(hero):
        raise HTTPException(412)
    hero.sqlmodel_update(change.model_dump(exclude_unset=True))
    session.add(hero)
    session.commit()
    session.refresh(hero)
    response.headers["etag"] = etag(hero)
    return hero


def etag(hero: Hero) -> str:
    digest = hashlib.blake2b(hero.model_dump_json().encode(), digest_size=12)
    return f'"{digest.hexdigest()}"'
