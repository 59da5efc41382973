"""Flask and Flask-SQLAlchemy, as their documentation writes it: views, db.session, dictionaries."""

import hashlib
import json
import os
from datetime import date

from flask import Flask, abort, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, String, event, func, select, tuple_
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

URL = os.environ["TILTH_DATABASE"]
IS_SQLITE = URL.startswith("sqlite")


class Base(DeclarativeBase):
    pass


app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = URL.replace("postgresql:", "postgresql+psycopg:")
db = SQLAlchemy(app, model_class=Base)
app.json.sort_keys = False


class Team(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    city: Mapped[str] = mapped_column(String(80))
    heroes: Mapped[list["Hero"]] = relationship(back_populates="team", order_by="Hero.id")


class Hero(db.Model):
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


if IS_SQLITE:
    with app.app_context():

        @event.listens_for(db.engine, "connect")
        def set_pragmas(connection, _record) -> None:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                connection.execute(f"PRAGMA {pragma}")


def owner() -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return None
    if header != "Bearer bench-token":
        abort(401)
    return "user-1"


def visible(statement):
    who = owner()
    return statement if who is None else statement.where(Hero.owner_id == who)


def team_out(team: Team) -> dict:
    return {"id": team.id, "name": team.name, "city": team.city}


def hero_out(hero: Hero) -> dict:
    return {
        "id": hero.id,
        "name": hero.name,
        "city": hero.city,
        "age": hero.age,
        "score": hero.score,
        "rating": hero.rating,
        "is_active": hero.is_active,
        "joined": hero.joined.isoformat(),
        "owner_id": hero.owner_id,
        "team_id": hero.team_id,
    }


def tagged(shown: dict):
    answer = jsonify(shown)
    answer.set_etag(etag(shown))
    return answer


def etag(shown: dict) -> str:
    return hashlib.blake2b(json.dumps(shown).encode(), digest_size=12).hexdigest()


def limit() -> int:
    return request.args.get("limit", 50, type=int)


@app.get("/api/heroes/<int:hero_id>")
def read_hero(hero_id: int):
    hero = db.one_or_404(visible(select(Hero).where(Hero.id == hero_id)))
    return tagged(hero_out(hero))


@app.get("/api/heroes")
def read_heroes():
    found = db.session.scalars(visible(select(Hero)).order_by(Hero.id).limit(limit()))
    return {"items": [hero_out(hero) for hero in found], "next": None}


@app.get("/api/heroes-with-team")
def read_heroes_with_team():
    statement = visible(select(Hero)).options(selectinload(Hero.team))
    found = db.session.scalars(statement.order_by(Hero.id).limit(limit()))
    return {"items": [{**hero_out(hero), "team": team_out(hero.team)} for hero in found]}


@app.get("/api/teams-with-heroes")
def read_teams_with_heroes():
    who = owner()
    loaded = Team.heroes if who is None else Team.heroes.and_(Hero.owner_id == who)
    statement = select(Team).options(selectinload(loaded)).order_by(Team.id).limit(limit())
    found = db.session.scalars(statement)
    return {"items": [{**team_out(t), "heroes": [hero_out(h) for h in t.heroes]} for t in found]}


@app.get("/api/heroes-by-score")
def read_heroes_by_score():
    min_age, after = request.args.get("min_age", type=int), request.args.get("after")
    statement = visible(select(Hero).where(Hero.age >= min_age))
    if after is not None:
        score, key = map(int, after.split(","))
        statement = statement.where(tuple_(Hero.score, Hero.id) < tuple_(score, key))
    statement = statement.order_by(Hero.score.desc(), Hero.id.desc()).limit(limit())
    found = db.session.scalars(statement).all()
    last = f"{found[-1].score},{found[-1].id}"
    address = f"/api/heroes-by-score?min_age={min_age}&limit={limit()}&after={last}"
    return {"items": [hero_out(hero) for hero in found], "next": address}


@app.get("/api/heroes-counted")
def read_heroes_counted():
    total = db.session.scalar(visible(select(func.count()).select_from(Hero)))
    found = db.session.scalars(visible(select(Hero)).order_by(Hero.id).limit(limit()))
    return {"items": [hero_out(hero) for hero in found], "total": total}


def hero_from(body: dict) -> Hero:
    return Hero(**{**body, "joined": date.fromisoformat(body["joined"]), "owner_id": owner()})


@app.post("/api/heroes")
def create_hero():
    hero = hero_from(request.get_json())
    db.session.add(hero)
    db.session.commit()
    return hero_out(hero), 201


@app.post("/api/heroes/batch")
def create_heroes():
    heroes = [hero_from(body) for body in request.get_json()]
    db.session.add_all(heroes)
    db.session.flush()
    shown = [hero_out(hero) for hero in heroes]
    db.session.commit()
    return {"items": shown}, 201


@app.patch("/api/heroes/<int:hero_id>")
def update_hero(hero_id: int):
    statement = visible(select(Hero).where(Hero.id == hero_id))
    hero = db.one_or_404(statement.with_for_update())
    if request.if_match and etag(hero_out(hero)) not in request.if_match:
        abort(412)
    hero.score = request.get_json()["score"]
    db.session.commit()
    return tagged(hero_out(hero))
