"""A small league over the kinds of relation there are, and who may see what of it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Column, ForeignKey, Table, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tilth import Actor, Policy, Tilth, me, public
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.testing import actor_reader

ADA, BEN = Actor("ada"), Actor("ben")
HEROES, TEAMS = 6, 2


class Base(DeclarativeBase):
    pass


knows = Table(
    "knows",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("power_id", ForeignKey("power.id"), primary_key=True),
)


class Team(Base):
    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    budget: Mapped[int | None]
    heroes: Mapped[list[Hero]] = relationship(
        back_populates="team", order_by="Hero.id", cascade="all, delete-orphan"
    )


class Hero(Base):
    __tablename__ = "hero"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    age: Mapped[int | None]
    phone: Mapped[str | None]
    owner_id: Mapped[str | None]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("hero.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")
    mentor: Mapped[Hero | None] = relationship(remote_side=[id])
    powers: Mapped[list[Power]] = relationship(secondary=knows, back_populates="heroes")


class Power(Base):
    __tablename__ = "power"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    heroes: Mapped[list[Hero]] = relationship(secondary=knows, back_populates="powers")


def open_league(url: str) -> Tilth:
    """Anybody may do anything, but nobody reads a phone number."""
    app = Tilth(url, readers=[actor_reader])
    app.expose(Team, Policy(read=public, write=public))
    app.expose(Hero, Policy(read=public, write=public, hidden=("phone",)))
    app.expose(Power, Policy(read=public, write=public))
    return app


def secretive_league(url: str) -> Tilth:
    """Each sees their own heroes, and teams with a hero of theirs; a budget only with one of 20."""
    app = Tilth(url, readers=[actor_reader])
    mine = Hero.owner_id == me.id
    seen = Team.heroes.any(mine)
    app.expose(Team, Policy(read=seen, write=seen, fields={"budget": Team.name == "Team 1"}))
    app.expose(Hero, Policy(read=mine, write=mine, hidden=("phone",)))
    app.expose(Power, Policy(read=Power.name != "Secret", write=public))
    return app


def rows() -> Iterable[object]:
    """Two teams of three; ada owns the odd heroes and ben the even ones, who are each one's pupil."""
    powers = [Power(id=1, name="Flight"), Power(id=2, name="Secret")]
    teams = [Team(id=each, name=f"Team {each}", budget=each * 100) for each in (1, 2)]
    heroes = [
        Hero(
            id=each,
            name=f"Hero {each}",
            age=None if each == 6 else each * 10,
            phone=f"+{each}",
            owner_id="ada" if each % 2 else "ben",
            team_id=1 if each <= 3 else 2,
            mentor_id=each - 1 if each > 1 else None,
        )
        for each in range(1, HEROES + 1)
    ]
    for hero in heroes:
        hero.powers = powers
    return [*powers, *teams, *heroes]


def fill(url: str, objects: Iterable[object] = ()) -> None:
    engine = sync_engine(url)
    create_missing_tables(engine, [Base.metadata, OWN])
    with Session(engine) as session, session.begin():
        session.add_all(objects)
        if engine.dialect.name == "postgresql":
            # Keys were given, so the sequences know nothing of them.
            for name in ("team", "hero", "power"):
                session.execute(text(f"SELECT setval('{name}_id_seq', 1000)"))
    engine.dispose()
