"""What a relation says about itself besides its join."""

from typing import Any, Optional

import pytest
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Table, UniqueConstraint, and_
from sqlalchemy.orm import DeclarativeBase, Mapped, foreign, mapped_column, relationship
from sqlmodel import Field as SqlModelField
from sqlmodel import Relationship, SQLModel

from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.resource import Relation, Schema


class Base(DeclarativeBase):
    pass


member = Table(
    "member",
    Base.metadata,
    Column("person_id", ForeignKey("person.id"), primary_key=True),
    Column("club_id", ForeignKey("club.id"), primary_key=True),
)


class Person(Base):
    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("shelf_row", "shelf_place"),
        ForeignKeyConstraint(["shelf_place", "shelf_row"], ["shelf.place", "shelf.row"]),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    home_id: Mapped[int | None] = mapped_column(ForeignKey("address.id"))
    work_id: Mapped[int] = mapped_column(ForeignKey("address.id"))
    shelf_row: Mapped[int]
    shelf_place: Mapped[int]

    home: Mapped[Optional["Address"]] = relationship(foreign_keys=[home_id], doc="sleeps here")
    work: Mapped["Address"] = relationship(foreign_keys=[work_id], back_populates="workers")
    shelf: Mapped["Shelf"] = relationship(back_populates="owner")
    passport: Mapped[Optional["Passport"]] = relationship(back_populates="person")
    diary: Mapped[Optional["Diary"]] = relationship()
    clubs: Mapped[list["Club"]] = relationship(secondary=member)
    first_club: Mapped[Optional["Club"]] = relationship(
        secondary=member, uselist=False, viewonly=True
    )
    town: Mapped[Optional["Address"]] = relationship(
        primaryjoin=lambda: and_(Address.id == foreign(Person.home_id), Address.is_town),
        viewonly=True,
    )
    hidden: Mapped[list["Hidden"]] = relationship()


class Address(Base):
    __tablename__ = "address"
    id: Mapped[int] = mapped_column(primary_key=True)
    is_town: Mapped[bool]
    workers: Mapped[list[Person]] = relationship(
        foreign_keys=[Person.work_id], back_populates="work"
    )


class Shelf(Base):
    __tablename__ = "shelf"
    row: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[Person | None] = relationship(back_populates="shelf", uselist=False)


class Passport(Base):
    __tablename__ = "passport"
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    person: Mapped[Person] = relationship(back_populates="passport")


class Diary(Base):
    __tablename__ = "diary"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


class Club(Base):
    __tablename__ = "club"
    id: Mapped[int] = mapped_column(primary_key=True)


class Hidden(Base):
    __tablename__ = "hidden"
    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))


def schema_of(*models: type) -> Schema:
    schema, findings = schema_from([Exposure(model) for model in models], "sqlite")
    assert findings == []
    return schema


def _facts(relation: Relation) -> tuple[str, str, tuple[str, ...]]:
    rows = "many" if relation.many else "single" if relation.single_row else "one of several"
    return relation.target, rows, relation.local


RELATIONS: dict[tuple[str, str], Any] = {
    ("people", "home"): ("addresses", "single", ("home_id",)),
    ("people", "work"): ("addresses", "single", ("work_id",)),
    ("people", "shelf"): ("shelves", "single", ("shelf_row", "shelf_place")),
    ("people", "passport"): ("passports", "single", ()),
    ("people", "diary"): ("diaries", "one of several", ()),
    ("people", "clubs"): ("clubs", "many", ()),
    ("people", "first_club"): ("clubs", "one of several", ()),
    ("people", "town"): ("addresses", "single", ()),
    ("addresses", "workers"): ("people", "many", ()),
    ("shelves", "owner"): ("people", "single", ()),
    ("passports", "person"): ("people", "single", ("person_id",)),
}


@pytest.mark.parametrize(("place", "facts"), RELATIONS.items())
def test_relation_knows_how_many_rows_it_finds_and_which_fields_hold_the_key(
    place: tuple[str, str], facts: Any
) -> None:
    schema = schema_of(Person, Address, Shelf, Passport, Diary, Club)

    assert _facts(schema[place[0]].relations[place[1]]) == facts


def test_relation_to_a_class_that_is_not_exposed_is_left_out() -> None:
    assert tuple(schema_of(Person, Club)["people"].relations) == ("clubs", "first_club")


def test_relation_carries_its_documentation() -> None:
    assert schema_of(Person, Address)["people"].relations["home"].description == "sleeps here"


def test_sqlmodel_relationships_are_relations() -> None:
    class Wears(SQLModel, table=True):
        cat_id: int = SqlModelField(primary_key=True, foreign_key="cat.id")
        hat_id: int = SqlModelField(primary_key=True, foreign_key="hat.id")

    class Hat(SQLModel, table=True):
        id: int | None = SqlModelField(default=None, primary_key=True)
        cats: list["Cat"] = Relationship(back_populates="hats", link_model=Wears)

    class Cat(SQLModel, table=True):
        id: int | None = SqlModelField(default=None, primary_key=True)
        mother_id: int | None = SqlModelField(default=None, foreign_key="cat.id")
        hats: list[Hat] = Relationship(back_populates="cats", link_model=Wears)
        mother: Optional["Cat"] = Relationship(sa_relationship_kwargs={"remote_side": "Cat.id"})

    schema = schema_of(Wears, Hat, Cat)

    assert {name: _facts(each) for name, each in schema["cats"].relations.items()} == {
        "hats": ("hats", "many", ()),
        "mother": ("cats", "single", ("mother_id",)),
    }
    assert schema["wears"].key == ("cat_id", "hat_id")
