"""Which tables and rows a class in a hierarchy is made of."""
# ruff: noqa: RUF012 (SQLAlchemy reads __mapper_args__ from the class)

import pytest
from sqlalchemy import ForeignKey, and_
from sqlalchemy.ext.declarative import AbstractConcreteBase, ConcreteBase
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.resource import Resource


class Base(DeclarativeBase):
    pass


class Animal(Base):
    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "animal"}


class Dog(Animal):
    breed: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "dog"}


class Puppy(Dog):
    weeks: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "puppy"}


class Bird(Animal):
    __tablename__ = "bird"
    id: Mapped[int] = mapped_column(ForeignKey("animal.id"), primary_key=True)
    wings: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "bird"}


class Parrot(Bird):
    __tablename__ = "parrot"
    parrot_id: Mapped[int] = mapped_column("id", ForeignKey("bird.id"), primary_key=True)
    words: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "parrot"}


class Owl(Bird):
    __mapper_args__ = {"polymorphic_identity": "owl"}


class Rock(Base):
    __tablename__ = "rock"
    id: Mapped[int] = mapped_column(primary_key=True)
    mass: Mapped[int]


class Gem(Rock):
    __tablename__ = "gem"
    id: Mapped[int] = mapped_column(primary_key=True)
    mass: Mapped[int]
    cut: Mapped[str]
    __mapper_args__ = {"concrete": True}


def _parts(resource: Resource) -> tuple[str, str, str, str]:
    """Tables, how they are joined, which rows, and the fields, as text."""
    criterion = resource.criterion
    return (
        " ".join(str(table) for table in resource.tables),
        str(and_(True, *resource.links)) if resource.links else "",
        "" if criterion is None else str(criterion.compile(compile_kwargs={"literal_binds": True})),
        " ".join(resource.fields),
    )


BOTH = "animal.id = bird.id"
HIERARCHIES = {
    "animals": ("animal", "", "", "id type"),
    "dogs": ("animal", "", "animal.type = 'dog' OR animal.type = 'puppy'", "id type breed"),
    "puppies": ("animal", "", "animal.type = 'puppy'", "id type breed weeks"),
    "birds": ("animal bird", BOTH, "", "id type wings"),
    "parrots": (
        "animal bird parrot",
        f"{BOTH} AND bird.id = parrot.id",
        "",
        "id type wings parrot_id words",
    ),
    "owls": ("animal bird", BOTH, "animal.type = 'owl'", "id type wings"),
    "rocks": ("rock", "", "", "id mass"),
    "gems": ("gem", "", "", "id mass cut"),
}


@pytest.mark.parametrize(("name", "parts"), HIERARCHIES.items())
def test_class_of_a_hierarchy_has_its_own_tables_and_rows(
    name: str, parts: tuple[str, str, str, str]
) -> None:
    models = (Animal, Dog, Puppy, Bird, Parrot, Owl, Rock, Gem)

    schema, findings = schema_from([Exposure(model) for model in models], "sqlite")

    assert findings == []
    assert _parts(schema[name]) == parts
    assert schema[name].key == ("id",)


def test_key_of_joined_tables_is_the_first_tables() -> None:
    schema, _ = schema_from([Exposure(Bird)], "sqlite")

    assert schema["birds"].fields["id"].expression is Animal.__table__.c.id


def test_union_of_subclasses_is_refused_and_each_subclass_works() -> None:
    class Vehicle(ConcreteBase, Base):
        __tablename__ = "vehicle"
        id: Mapped[int] = mapped_column(primary_key=True)
        __mapper_args__ = {"polymorphic_identity": "vehicle", "concrete": True}

    class Car(Vehicle):
        __tablename__ = "car"
        id: Mapped[int] = mapped_column(primary_key=True)
        doors: Mapped[int]
        __mapper_args__ = {"polymorphic_identity": "car", "concrete": True}

    schema, (finding,) = schema_from([Exposure(Vehicle), Exposure(Car)], "sqlite")

    assert (finding.code, finding.subject) == ("schema.polymorphic_union", "Vehicle")
    assert finding.remedy == "Expose the subclasses instead: Car."
    assert _parts(schema["cars"]) == ("car", "", "", "id doors")


def test_abstract_concrete_base_is_refused_before_and_after_it_is_mapped() -> None:
    class Shape(AbstractConcreteBase, Base):
        strict_attrs = True

    class Circle(Shape):
        __tablename__ = "circle"
        id: Mapped[int] = mapped_column(primary_key=True)
        __mapper_args__ = {"polymorphic_identity": "circle", "concrete": True}

    exposures = [Exposure(Shape), Exposure(Circle)]
    found = [schema_from(exposures, "sqlite") for _ in range(2)]

    assert [tuple(schema) for schema, _ in found] == [("circles",), ("circles",)]
    assert [finding.subject for _, findings in found for finding in findings] == ["Shape", "Shape"]
