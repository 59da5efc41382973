"""The league that every peer serves: teams and their heroes."""

from datetime import date

from sqlalchemy import Index
from sqlmodel import Field, Relationship, SQLModel


class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80, unique=True)
    city: str = Field(max_length=80)
    heroes: list["Hero"] = Relationship(back_populates="team")


class Hero(SQLModel, table=True):
    __table_args__ = (
        Index("hero_by_owner", "owner_id"),
        Index("hero_by_owner_and_score", "owner_id", "score", "id"),
        Index("hero_by_score", "score", "id"),
        Index("hero_by_team", "team_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=80)
    city: str = Field(max_length=80)
    age: int | None = None
    score: int
    rating: float
    is_active: bool = True
    joined: date
    owner_id: str | None = Field(default=None, max_length=40)
    team_id: int = Field(foreign_key="team.id")
    team: Team = Relationship(back_populates="heroes")
