"""Rules are told in the words they were written in."""

import pytest
from sqlalchemy import ColumnElement, ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import me, owner, public, role, signed_in
from tilth.kernel.policy.wording import wording


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int | None]
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team] = relationship()


CASES = [
    (public, "public"),
    (~public, "NOT public"),
    ((Hero.age >= 18) | role("admin"), "hero.age >= 18 OR role('admin')"),
    (~(signed_in & (Hero.name == me.id)), "NOT (signed_in AND hero.name = me.id)"),
    (owner("name") & ~owner("age"), "owner('name') AND NOT owner('age')"),
    (Hero.name.in_(me.roles), "hero.name IN me.roles"),
    (Hero.name.like("50% WHERE"), "hero.name LIKE '50% WHERE'"),
    (
        Hero.team.has((Team.name == "A") & role("admin")),
        "EXISTS (SELECT 1 FROM team WHERE team.id = hero.team_id AND team.name = 'A' "
        "AND role('admin'))",
    ),
]


@pytest.mark.parametrize(("rule", "text"), CASES, ids=[text for _, text in CASES])
def test_rule_is_worded_as_written(rule: ColumnElement[bool], text: str) -> None:
    assert wording(rule, [Hero.__table__]) == text
