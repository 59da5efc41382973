"""Models whose rows are not easy to move: circles, own types, JSON, every kind of number."""

import enum
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID, uuid5

from sqlalchemy import (
    JSON,
    Column,
    Computed,
    Connection,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    insert,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import ExactDecimal, Policy, Tilth, public


class Base(DeclarativeBase):
    pass


class Rank(enum.Enum):
    HIGH = "high"
    LOW = "low"


link = Table(
    "hero_team",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("team_id", ForeignKey("team.id"), primary_key=True),
)
log = Table("log", Base.metadata, Column("line", String(200)))


class Team(Base):
    __tablename__ = "team"
    # Teams and heroes refer to each other.
    id: Mapped[UUID] = mapped_column(primary_key=True)
    leader_id: Mapped[int | None] = mapped_column(
        ForeignKey(
            "hero.id", use_alter=True, name="fk_leader", deferrable=True, initially="DEFERRED"
        )
    )


class Hero(Base):
    __tablename__ = "hero"
    __table_args__ = (Index("ix_hero_name", "name", unique=True), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    mentor_id: Mapped[int | None] = mapped_column(
        ForeignKey("hero.id", deferrable=True, initially="DEFERRED")
    )
    team_id: Mapped[UUID | None] = mapped_column(ForeignKey("team.id"))
    rank: Mapped[Rank | None]
    worth: Mapped[Decimal] = mapped_column(ExactDecimal(12, 4))
    born: Mapped[date | None]
    seen: Mapped[datetime | None]
    tags: Mapped[object | None] = mapped_column(JSON)
    photo: Mapped[bytes | None] = mapped_column(LargeBinary)
    rating: Mapped[float | None]
    twice: Mapped[int] = mapped_column(Computed("id * 2"))


app = Tilth()
app.expose(Team, Policy(read=public))
app.expose(Hero, Policy(read=public))


def fill(connection: Connection, count: int) -> None:
    """count: of heroes, each the pupil of the next."""
    team = uuid5(UUID(int=1), "first")
    connection.execute(insert(Team), [{"id": team, "leader_id": count}])
    connection.execute(
        insert(Hero),
        [
            {
                "id": number,
                "name": f"Zoë {number}",
                # Somebody who comes later, so that no order of rows would do.
                "mentor_id": number + 1 if number < count else None,
                "team_id": team if number % 2 else None,
                "rank": (None, Rank.HIGH, Rank.LOW)[number % 3],
                "worth": Decimal(number) / 16,
                "born": date(2000, 2, 29) if number % 5 else None,
                "seen": datetime(2026, 3, 29, 1, 30, 0, number),
                "tags": ({"a": [1, None, "é"]}, JSON.NULL, [], "x")[number % 4],
                "photo": bytes([0, number % 256]),
                "rating": number / 7,
            }
            for number in range(1, count + 1)
        ],
    )
    connection.execute(insert(link), [{"hero_id": n, "team_id": team} for n in range(1, 9)])
    connection.execute(insert(log), [{"line": "twice"}, {"line": "twice"}, {"line": None}])
