"""The tables of the example: ordinary SQLAlchemy, nothing of Tilth but one exact column type."""

from __future__ import annotations

import enum
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Column, DateTime, ForeignKey, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import ExactDecimal

MONEY = ExactDecimal(12, 2)
MOMENT = DateTime(timezone=True)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


class Status(enum.Enum):
    active = "active"
    retired = "retired"
    missing = "missing"


class Part(enum.Enum):
    lead = "lead"
    support = "support"
    lookout = "lookout"


class Outcome(enum.Enum):
    success = "success"
    draw = "draw"
    failure = "failure"


hero_power = Table(
    "hero_power",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id", ondelete="CASCADE"), primary_key=True),
    Column("power_id", ForeignKey("power.id", ondelete="CASCADE"), primary_key=True, index=True),
)


class Team(Base):
    """Heroes who share a headquarters and a budget."""

    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    city: Mapped[str] = mapped_column(String(80), index=True)
    motto: Mapped[str | None] = mapped_column(String(200))
    founded_on: Mapped[date]
    budget: Mapped[Decimal | None] = mapped_column(MONEY)

    heroes: Mapped[list[Hero]] = relationship(back_populates="team")


class Power(Base):
    """What a hero can do that others cannot."""

    __tablename__ = "power"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str | None]
    is_dangerous: Mapped[bool] = mapped_column(default=False)

    heroes: Mapped[list[Hero]] = relationship(secondary=hero_power, back_populates="powers")


class Hero(Base):
    """Somebody with a name for the public and another one at home."""

    __tablename__ = "hero"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), index=True)
    real_name: Mapped[str | None] = mapped_column(String(120))
    emergency_phone: Mapped[str | None] = mapped_column(String(40))
    owner_id: Mapped[str | None] = mapped_column(String(40), index=True)
    status: Mapped[Status] = mapped_column(default=Status.active)
    born_on: Mapped[date | None]
    height_metres: Mapped[float | None]
    daily_fee: Mapped[Decimal | None] = mapped_column(MONEY)
    joined_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("hero.id"), index=True)

    team: Mapped[Team | None] = relationship(back_populates="heroes")
    mentor: Mapped[Hero | None] = relationship(remote_side=[id], back_populates="pupils")
    pupils: Mapped[list[Hero]] = relationship(back_populates="mentor")
    powers: Mapped[list[Power]] = relationship(secondary=hero_power, back_populates="heroes")
    missions: Mapped[list[HeroMission]] = relationship(back_populates="hero")


class Mission(Base):
    """Something that went wrong somewhere, and was or will be put right."""

    __tablename__ = "mission"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    codename: Mapped[str] = mapped_column(String(80), unique=True)
    brief: Mapped[str | None]
    is_secret: Mapped[bool] = mapped_column(default=False)
    starts_at: Mapped[datetime] = mapped_column(MOMENT, index=True)
    lasted: Mapped[timedelta | None]
    reward: Mapped[Decimal | None] = mapped_column(MONEY)

    heroes: Mapped[list[HeroMission]] = relationship(back_populates="mission")


class HeroMission(Base):
    """A hero's part in a mission: a many-to-many relation with columns of its own."""

    __tablename__ = "hero_mission"

    hero_id: Mapped[int] = mapped_column(ForeignKey("hero.id"), primary_key=True)
    mission_id: Mapped[UUID] = mapped_column(ForeignKey("mission.id"), primary_key=True, index=True)
    part: Mapped[Part]
    outcome: Mapped[Outcome | None]
    stars: Mapped[int | None]

    hero: Mapped[Hero] = relationship(back_populates="missions")
    mission: Mapped[Mission] = relationship(back_populates="heroes")
