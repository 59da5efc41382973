"""A developer's mistakes: found all at once, each with place, reason and remedy."""

import enum
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import ARRAY, Column, ForeignKey, Integer, Numeric, String, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    column_property,
    declarative_base,
    foreign,
    mapped_column,
    relationship,
)
from sqlalchemy.types import TypeDecorator, UserDefinedType
from sqlmodel import SQLModel

from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.types import ExactDecimal


class Base(DeclarativeBase):
    pass


class Hero(Base):
    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    age: Mapped[int]


class Heroes(Base):
    __tablename__ = "other_hero"
    id: Mapped[int] = mapped_column(primary_key=True)


class Reversed(TypeDecorator[str]):
    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value and value[::-1]


class Invented(UserDefinedType[Any]):
    cache_ok = True


class Shape(enum.Enum):
    SQUARE = (4, 4)


class Abstract(Base):
    __abstract__ = True


class Draft(SQLModel):
    name: str


class Odd(Base):
    __tablename__ = "odd"
    id: Mapped[int] = mapped_column(primary_key=True)
    tags = Column(ARRAY(String))
    shape: Mapped[Shape]
    code = Column(Reversed)
    blob = Column(Invented)
    kind = Column(String, info={"tilth_kind": "colour"})
    lost = Column(ForeignKey("nowhere.id"))
    hero_id: Mapped[int] = mapped_column(ForeignKey("hero.id"))
    hero: Mapped[Hero] = relationship()
    untyped = column_property(select(Column("anything")).scalar_subquery())


class Fine(Base):
    __tablename__ = "fine"
    id: Mapped[int] = mapped_column(primary_key=True)
    odd_id: Mapped[int] = mapped_column(ForeignKey("odd.id"))
    odd: Mapped[Odd] = relationship()


class Price(Base):
    __tablename__ = "price"
    id: Mapped[int] = mapped_column(primary_key=True)
    exact: Mapped[Decimal] = mapped_column(ExactDecimal(38, 10))
    short: Mapped[Decimal] = mapped_column(Numeric(15, 2))
    long: Mapped[Decimal] = mapped_column(Numeric(38, 10))
    loose: Mapped[Decimal] = mapped_column(Numeric)


class Awkward(Base):
    __tablename__ = "awkward"
    id: Mapped[int] = mapped_column(primary_key=True)
    limit: Mapped[int]
    age__gte: Mapped[int]
    hero_id: Mapped[int] = mapped_column(ForeignKey("hero.id"))
    fields: Mapped[Hero] = relationship(viewonly=True)
    the__hero: Mapped[Hero] = relationship(viewonly=True)


class Query(Base):
    __table__ = select(Hero.__table__.c.id).subquery()
    __mapper_args__ = {"primary_key": [__table__.c.id]}  # noqa: RUF012


AnyHero = aliased(Hero)


class Detour(Base):
    __tablename__ = "detour"
    id: Mapped[int] = mapped_column(primary_key=True)
    hero = relationship(
        AnyHero, primaryjoin=lambda: foreign(Detour.id) == AnyHero.id, viewonly=True
    )


def found(*exposures: Exposure, dialect_name: str = "sqlite") -> list[tuple[str, str]]:
    _, findings = schema_from(exposures, dialect_name)
    return [(finding.code, finding.subject) for finding in findings]


MISTAKES: list[tuple[list[Exposure], list[tuple[str, str]]]] = [
    ([Exposure(Draft)], [("schema.not_mapped", "Draft")]),
    ([Exposure(Abstract)], [("schema.not_mapped", "Abstract")]),
    ([Exposure(dict)], [("schema.not_mapped", "dict")]),
    ([Exposure(Hero), Exposure(Hero, name="again")], [("schema.exposed_twice", "Hero")]),
    ([Exposure(Hero), Exposure(Heroes)], [("schema.duplicate_name", "Heroes")]),
    ([Exposure(Hero, "batch")], [("schema.reserved_name", "Hero")]),
    ([Exposure(Hero, name="My Heroes")], [("schema.bad_name", "Hero")]),
    ([Exposure(Hero, name="a/b")], [("schema.bad_name", "Hero")]),
    (
        [Exposure(Hero, search=("name", "nmae", "age"))],
        [("schema.unknown_search_field", "Hero.nmae"), ("schema.search_not_text", "Hero.age")],
    ),
    (
        [Exposure(Odd)],
        [
            ("schema.unknown_type", f"Odd.{name}")
            for name in ("shape", "tags", "code", "blob", "kind", "lost", "untyped")
        ],
    ),
    (
        [Exposure(Price)],
        [("schema.inexact_decimal", "Price.long"), ("schema.inexact_decimal", "Price.loose")],
    ),
    (
        [Exposure(Hero), Exposure(Awkward)],
        [
            ("schema.name_is_parameter", "Awkward.limit"),
            ("schema.name_has_separator", "Awkward.age__gte"),
            ("schema.name_has_separator", "Awkward.the__hero"),
        ],
    ),
    ([Exposure(Query)], [("schema.not_a_table", "Query")]),
    ([Exposure(Hero), Exposure(Detour)], [("schema.join_not_understood", "Detour.hero")]),
]


@pytest.mark.parametrize(("exposures", "findings"), MISTAKES)
def test_mistakes_are_found_all_at_once(
    exposures: list[Exposure], findings: list[tuple[str, str]]
) -> None:
    assert found(*exposures) == findings


def test_every_finding_has_place_reason_and_remedy() -> None:
    exposures = [
        exposure for group, _ in MISTAKES for exposure in group if exposure.model is not dict
    ]

    _, findings = schema_from(exposures, "sqlite")

    assert [each for each in findings if "test_schema_findings.py:" not in str(each.where)] == []
    assert [each for each in findings if not each.reason.endswith(".")] == []
    assert [each for each in findings if not each.remedy.endswith(".")] == []


def test_resource_with_an_error_is_left_out_with_the_relations_to_it() -> None:
    schema, _ = schema_from([Exposure(Odd), Exposure(Fine), Exposure(Hero)], "sqlite")

    assert {name: tuple(each.relations) for name, each in schema.items()} == {
        "fines": (),
        "heroes": (),
    }


def test_warning_does_not_leave_a_resource_out() -> None:
    schema, findings = schema_from([Exposure(Awkward)], "postgresql")

    assert (tuple(schema), {each.level for each in findings}) == (("awkwards",), {"warning"})


def test_postgresql_keeps_long_decimals_and_arrays() -> None:
    assert found(Exposure(Price), dialect_name="postgresql") == []
    assert ("schema.unknown_type", "Odd.tags") not in found(
        Exposure(Odd), dialect_name="postgresql"
    )


def test_existing_decimals_are_taken_as_they_are() -> None:
    assert found(Exposure(Price, reflected=True)) == []


def test_place_of_the_expose_call_is_named_for_its_own_mistakes() -> None:
    _, (finding,) = schema_from([Exposure(Hero, name="a b", where="app.py:7")], "sqlite")

    assert finding.where == "app.py:7"


def test_sqlmodel_without_a_table_is_told_what_is_missing() -> None:
    _, (finding,) = schema_from([Exposure(Draft)], "sqlite")

    assert finding.remedy == "Write class Draft(..., table=True)."


def _team_and_player(team: dict[str, Any], player: dict[str, Any]) -> list[Exposure]:
    """Two models in a registry of their own, so that what is broken breaks nothing else."""
    base: Any = declarative_base()
    columns = {"__tablename__": "team", "id": Column(Integer, primary_key=True)}
    team_model = type("Team", (base,), columns | team)
    columns = {"__tablename__": "player", "id": Column(Integer, primary_key=True)}
    return [Exposure(team_model), Exposure(type("Player", (base,), columns | player))]


def _keys(*names: str) -> dict[str, Any]:
    return {name: Column(ForeignKey("team.id")) for name in names}


BROKEN: dict[str, tuple[Callable[[], list[Exposure]], list[tuple[str, str]]]] = {
    "no foreign key": (
        lambda: _team_and_player({"players": relationship("Player")}, {}),
        [("Team.players", "Add a ForeignKey to one of the two tables, or give primaryjoin.")],
    ),
    "several foreign keys": (
        lambda: _team_and_player({}, {**_keys("home_id", "away_id"), "team": relationship("Team")}),
        [
            (
                "Player.team",
                "Say which foreign key it follows: relationship(foreign_keys=[...]).",
            )
        ],
    ),
    "unknown class": (
        lambda: _team_and_player({"players": relationship("Plaier")}, _keys("team_id")),
        [("Team.players", "Check the spelling, and import the module that defines it.")],
    ),
    "wrong back_populates": (
        lambda: _team_and_player(
            {"players": relationship("Player", back_populates="teem")}, _keys("team_id")
        ),
        [
            (
                "Team.players",
                "Make back_populates on each side name the attribute of the other side.",
            )
        ],
    ),
    "beside one in order": (
        lambda: _team_and_player(
            {
                "players": relationship("Player", back_populates="team"),
                "stadium": relationship("Stadium"),
            },
            {**_keys("team_id"), "team": relationship("Team", back_populates="players")},
        ),
        [("Team.stadium", "Check the spelling, and import the module that defines it.")],
    ),
    "error in a lambda": (
        lambda: _team_and_player({"players": relationship(lambda: undefined)}, {}),  # type: ignore[name-defined]  # noqa: F821
        [("Team.players", "Correct the arguments of the relationship.")],
    ),
    "three at once": (
        lambda: _team_and_player(
            {"players": relationship("Player"), "plaiers": relationship("Plaier")},
            {"team": relationship("Team")},
        ),
        [
            ("Player.team", "Add a ForeignKey to one of the two tables, or give primaryjoin."),
            ("Team.plaiers", "Check the spelling, and import the module that defines it."),
            ("Team.players", "Add a ForeignKey to one of the two tables, or give primaryjoin."),
        ],
    ),
}


@pytest.mark.parametrize(("make", "problems"), BROKEN.values(), ids=BROKEN.keys())
def test_each_broken_relationship_is_one_finding(
    make: Callable[[], list[Exposure]], problems: list[tuple[str, str]]
) -> None:
    schema, findings = schema_from(make(), "sqlite")

    assert dict(schema) == {}
    assert sorted((each.subject, each.remedy) for each in findings) == problems
    assert {each.code for each in findings} == {"schema.broken_relationship"}


def test_columns_are_looked_at_even_if_a_relationship_is_broken() -> None:
    broken = {"players": relationship("Player"), "blob": Column(Invented)}

    _, findings = schema_from(_team_and_player(broken, {}), "sqlite")

    assert [finding.subject for finding in findings] == ["Team.blob", "Team.players"]


def test_broken_relationships_of_another_application_do_not_matter() -> None:
    make, _ = BROKEN["no foreign key"]
    schema_from(make(), "sqlite")

    assert found(Exposure(Hero)) == []


def test_finding_of_search_points_to_the_call_that_names_the_field() -> None:
    _, findings = schema_from([Exposure(Hero, search=("nmae",), where="app.py:7")], "sqlite")

    assert [finding.where for finding in findings] == ["app.py:7"]
