# ruff: noqa: RUF012 (SQLAlchemy reads __mapper_args__ from the class)
"""Every relation joins the rows that SQLAlchemy itself would load, shown by running it."""

from collections.abc import Iterator
from typing import Any, Optional

import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    ForeignKeyConstraint,
    Select,
    String,
    Table,
    and_,
    create_engine,
    select,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    foreign,
    mapped_column,
    relationship,
    remote,
)

from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.resource import Relation, Resource, Schema


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "country"
    code: Mapped[str] = mapped_column(primary_key=True)
    region: Mapped[int] = mapped_column(primary_key=True)


class City(Base):
    __tablename__ = "city"
    __table_args__ = (
        ForeignKeyConstraint(
            ["country_code", "country_region"], ["country.code", "country.region"]
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    country_code: Mapped[str | None]
    country_region: Mapped[int | None]
    twin_id: Mapped[int | None] = mapped_column(ForeignKey("city.id"))

    country: Mapped[Country | None] = relationship()
    twin: Mapped[Optional["City"]] = relationship(remote_side=[id], back_populates="twinned")
    twinned: Mapped[list["City"]] = relationship(back_populates="twin", order_by="City.name.desc()")
    streets: Mapped[list["Street"]] = relationship(
        secondary="street_city", order_by="StreetCity.place", back_populates="cities"
    )
    roads: Mapped[list["City"]] = relationship(
        secondary="road",
        primaryjoin="City.id == road.c.start_id",
        secondaryjoin="City.id == road.c.end_id",
    )
    long_streets: Mapped[list["Street"]] = relationship(
        primaryjoin=lambda: and_(City.id == foreign(Street.city_id), Street.metres > 1000),
        viewonly=True,
    )
    main_street: Mapped[Optional["Street"]] = relationship(
        primaryjoin=lambda: and_(remote(Street.id) == foreign(City.twin_id), Street.metres > 10),
        viewonly=True,
    )


class StreetCity(Base):
    __tablename__ = "street_city"
    street_id: Mapped[int] = mapped_column(ForeignKey("street.id"), primary_key=True)
    city_id: Mapped[int] = mapped_column(ForeignKey("city.id"), primary_key=True)
    place: Mapped[int]
    street: Mapped["Street"] = relationship(viewonly=True)


class Street(Base):
    __tablename__ = "street"
    id: Mapped[int] = mapped_column(primary_key=True)
    city_id: Mapped[int | None]
    metres: Mapped[int]
    cities: Mapped[list[City]] = relationship(
        secondary="street_city", back_populates="streets", order_by=City.id
    )


road = Table(
    "road",
    Base.metadata,
    Column("start_id", ForeignKey("city.id"), primary_key=True),
    Column("end_id", ForeignKey("city.id"), primary_key=True),
)


class Party(Base):
    __tablename__ = "party"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(String(10))
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "party"}


class Employee(Party):
    __tablename__ = "employee"
    id: Mapped[int] = mapped_column(ForeignKey("party.id"), primary_key=True)
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("employee.id"))
    boss: Mapped[Optional["Employee"]] = relationship(
        foreign_keys=[boss_id], remote_side=[id], back_populates="reports"
    )
    reports: Mapped[list["Employee"]] = relationship(
        foreign_keys=[boss_id], back_populates="boss", order_by="Employee.id"
    )
    __mapper_args__ = {"polymorphic_identity": "employee", "inherit_condition": id == Party.id}


class Manager(Employee):
    __tablename__ = "manager"
    id: Mapped[int] = mapped_column(ForeignKey("employee.id"), primary_key=True)
    desks: Mapped[list["Desk"]] = relationship(back_populates="manager")
    __mapper_args__ = {"polymorphic_identity": "manager", "inherit_condition": id == Employee.id}


class Desk(Base):
    __tablename__ = "desk"
    id: Mapped[int] = mapped_column(primary_key=True)
    manager_id: Mapped[int] = mapped_column(ForeignKey("manager.id"))
    manager: Mapped[Manager] = relationship(back_populates="desks")


MODELS = (Country, City, StreetCity, Street, Party, Employee, Manager, Desk)


@pytest.fixture(scope="module")
def schema() -> Schema:
    schema, findings = schema_from([Exposure(model) for model in MODELS], "sqlite")
    assert findings == []
    return schema


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(_rows())
        session.commit()
    yield engine
    engine.dispose()


def _rows() -> list[Any]:
    rome = City(id=1, name="Rome", country=Country(code="it", region=1))
    oslo = City(id=2, name="Oslo", country=Country(code="no", region=1), twin=rome)
    bari = City(id=3, name="Bari", country_code="it", country_region=2, twin=rome)
    rome.roads = [oslo, bari]
    oslo.roads = [oslo]
    streets = [Street(id=number, city_id=1, metres=number * 600) for number in (1, 2, 3)]
    places = [(1, 1, 2), (2, 1, 1), (2, 2, 1)]
    links = [StreetCity(street_id=s, city_id=c, place=p) for s, c, p in places]
    boss = Manager(id=10, desks=[Desk(id=20)])
    return [rome, oslo, bari, *streets, *links, boss, Employee(id=11, boss=boss), Party(id=12)]


def _pairs(resource: Resource, relation: Relation, target: Resource) -> Select[Any]:
    """(key of the owner, key of the target) wherever the relation leads, in its order."""
    here = resource.tables[0].c
    there = relation.join.remote[target.tables[-1]].c
    return (
        select(*(here[name] for name in resource.key), *(there[name] for name in target.key))
        .where(relation.join.on, *resource.links)
        .order_by(*here, *relation.order, *there)
    )


def _loaded(engine: Engine, resource: Resource, relation: Relation, target: Resource) -> list[Any]:
    """The same pairs as the ORM loads them."""
    with Session(engine) as session:
        pairs = []
        for row in session.scalars(select(resource.model).order_by(*resource.tables[0].c)):
            found = getattr(row, relation.name)
            others = found if relation.many else [found] * (found is not None)
            pairs += [
                tuple(
                    getattr(one, key)
                    for one, names in ((row, resource), (other, target))
                    for key in names.key
                )
                for other in others
            ]
        return pairs


RELATIONS = [
    ("cities", "country", "composite foreign key"),
    ("cities", "twin", "to the same table"),
    ("cities", "twinned", "from the same table, ordered"),
    ("cities", "streets", "link table, ordered by it"),
    ("streets", "cities", "link table, other way"),
    ("cities", "roads", "link table to the same table"),
    ("cities", "long_streets", "further criteria"),
    ("cities", "main_street", "further criteria, to one"),
    ("street-cities", "street", "association object"),
    ("employees", "boss", "joined inheritance to itself"),
    ("managers", "reports", "inherited relation, three tables to two"),
    ("managers", "desks", "three tables to one"),
    ("desks", "manager", "one table to three"),
]


@pytest.mark.parametrize(("owner", "name"), [case[:2] for case in RELATIONS])
def test_join_finds_what_the_orm_loads(
    schema: Schema, engine: Engine, owner: str, name: str
) -> None:
    resource = schema[owner]
    relation = resource.relations[name]
    target = schema[relation.target]

    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(_pairs(resource, relation, target))]

    assert rows == _loaded(engine, resource, relation, target)
    assert rows != []
