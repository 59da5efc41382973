"""Every way to map a class is served: inheritance, odd relations, views, odd names, expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response
from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    func,
    select,
    text,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    registry,
    relationship,
)

from tilth import Policy, Tilth, public
from tilth.kernel.store.sync import create_missing_tables, sync_engine

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


# One table for a class and its subclasses.


class Vehicle(Base):
    __tablename__ = "vehicle"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    owner: Mapped[Person | None] = relationship(back_populates="vehicles")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}  # noqa: RUF012


class Car(Vehicle):
    doors: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "car"}  # noqa: RUF012


class Bike(Vehicle):
    __mapper_args__ = {"polymorphic_identity": "bike"}  # noqa: RUF012


# A table for each class, joined.


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    boss_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    boss: Mapped[Person | None] = relationship(
        back_populates="team", remote_side=[id], foreign_keys=[boss_id]
    )
    team: Mapped[list[Person]] = relationship(back_populates="boss", foreign_keys=[boss_id])
    vehicles: Mapped[list[Vehicle]] = relationship(back_populates="owner")
    cars: Mapped[list[Car]] = relationship(viewonly=True)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012


class Worker(Person):
    __tablename__ = "worker"
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    wage: Mapped[int]
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("worker.id"))
    mentor: Mapped[Worker | None] = relationship(
        remote_side=[id], foreign_keys=[mentor_id], back_populates="pupils"
    )
    pupils: Mapped[list[Worker]] = relationship(foreign_keys=[mentor_id], back_populates="mentor")
    __mapper_args__ = {  # noqa: RUF012
        "polymorphic_identity": "worker",
        "inherit_condition": id == Person.id,
    }


# A table for each class, apart.


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]


class SignedNote(Note):
    __tablename__ = "signed_note"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]
    author: Mapped[str]
    __mapper_args__ = {"concrete": True}  # noqa: RUF012


# Several foreign keys to one table, and an association with columns of its own.


class City(Base):
    __tablename__ = "city"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(4))


class Flight(Base):
    __tablename__ = "flight"
    id: Mapped[int] = mapped_column(primary_key=True)
    origin_id: Mapped[int] = mapped_column(ForeignKey("city.id"))
    target_id: Mapped[int | None] = mapped_column(ForeignKey("city.id"))
    origin: Mapped[City] = relationship(foreign_keys=[origin_id])
    target: Mapped[City | None] = relationship(foreign_keys=[target_id])
    stops: Mapped[list[Stop]] = relationship(back_populates="flight", order_by="Stop.place")
    cities: Mapped[list[City]] = relationship(
        secondary="stop", viewonly=True, order_by="Stop.place.desc()"
    )


class Stop(Base):
    __tablename__ = "stop"
    flight_id: Mapped[int] = mapped_column(ForeignKey("flight.id"), primary_key=True)
    city_id: Mapped[int] = mapped_column(ForeignKey("city.id"), primary_key=True)
    place: Mapped[int]
    flight: Mapped[Flight] = relationship(back_populates="stops")
    city: Mapped[City] = relationship()


# Values that SQL makes.

City.departures = column_property(
    select(func.count(Flight.id)).where(Flight.origin_id == City.id).scalar_subquery()
)
City.shout = column_property(func.upper(City.name) + "!")


# A key of several parts, and a row of another table found by it.


class Order(Base):
    __tablename__ = "order"
    group: Mapped[str] = mapped_column("group by", primary_key=True)
    number: Mapped[int] = mapped_column("select", primary_key=True)
    lines: Mapped[list[Line]] = relationship(back_populates="order")


class Line(Base):
    __tablename__ = "order lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_group: Mapped[str | None] = mapped_column("from")
    order_number: Mapped[int | None] = mapped_column('qu"ote')
    limit: Mapped[int | None]
    größe: Mapped[int | None] = mapped_column("größe 📏")
    percent: Mapped[int | None] = mapped_column("100% :of (it)")
    order: Mapped[Order | None] = relationship(back_populates="lines")
    __table_args__ = (ForeignKeyConstraint(["from", 'qu"ote'], ["order.group by", "order.select"]),)


# A view, which has no key, mapped imperatively.

views = MetaData()
mapped = registry(metadata=views)
totals = Table(
    "totals",
    views,
    Column("wage", Integer),
    Column("heads", Integer),
    info={"tilth_no_key": True},
)


class Total:
    pass


mapped.map_imperatively(Total, totals, primary_key=[totals.c.wage, totals.c.heads])


def world() -> Iterator[Base]:
    ada = Worker(id=1, name="Ada", wage=10)
    bob = Worker(id=2, name="Bob", wage=10, boss=ada, mentor=ada)
    cleo = Person(id=3, name="Cleo", boss=ada)
    yield from (ada, bob, cleo)
    yield Car(id=1, name="Mini", doors=3, owner=ada)
    yield Bike(id=2, name="Racer", owner=ada)
    yield Vehicle(id=3, name="Sled")
    yield from (Note(id=1, body="plain"), SignedNote(id=1, body="signed", author="Ada"))
    oslo, rome, lima = City(id=1, name="Oslo"), City(id=2, name="Rome"), City(id=3, name="Lima")
    one = Flight(id=1, origin=oslo, target=rome)
    yield from (one, Flight(id=2, origin=oslo))
    yield from (Stop(flight=one, city=lima, place=1), Stop(flight=one, city=oslo, place=2))
    order = Order(group="a/b", number=1)
    yield from (order, Order(group="", number=2))
    yield Line(id=1, order=order, limit=5, größe=1, percent=2)
    yield Line(id=2)


MODELS = (Vehicle, Car, Bike, Person, Worker, Note, SignedNote, City, Flight, Stop, Order, Line)


@pytest.fixture(scope="module")
def ask(module_url: str, serve_for_module: Any) -> Ask:
    engine = sync_engine(module_url)
    create_missing_tables(engine, [Base.metadata])
    with engine.begin() as connection:
        connection.execute(
            text("CREATE VIEW totals AS SELECT wage, count(*) AS heads FROM worker GROUP BY wage")
        )
    with Session(engine) as session:
        session.add_all(world())
        session.commit()
    engine.dispose()
    app = Tilth(module_url)
    for model in (*MODELS, Total):
        app.expose(model, Policy(read=public))
    served: Ask = serve_for_module(app)
    return served


ADA = {"id": 1, "kind": "worker", "name": "Ada", "boss_id": None}
BOB = {"id": 2, "kind": "worker", "name": "Bob", "boss_id": 1}
CLEO = {"id": 3, "kind": "person", "name": "Cleo", "boss_id": 1}
MINI = {"id": 1, "kind": "car", "name": "Mini", "owner_id": 1}
RACER = {"id": 2, "kind": "bike", "name": "Racer", "owner_id": 1}
SLED = {"id": 3, "kind": "vehicle", "name": "Sled", "owner_id": None}
WORKER_ADA = {**ADA, "wage": 10, "mentor_id": None}
WORKER_BOB = {**BOB, "wage": 10, "mentor_id": 1}
OSLO = {"id": 1, "name": "Oslo", "departures": 2, "shout": "OSLO!"}
ROME = {"id": 2, "name": "Rome", "departures": 0, "shout": "ROME!"}
LIMA = {"id": 3, "name": "Lima", "departures": 0, "shout": "LIMA!"}
FLIGHT = {"id": 1, "origin_id": 1, "target_id": 2}
ORDER = {"group": "a/b", "number": 1}
LINE = {"id": 1, "order_group": "a/b", "order_number": 1, "limit": 5, "größe": 1, "percent": 2}

ANSWERS: dict[str, Any] = {
    # single-table inheritance: a class has its own rows and those of its subclasses
    "/api/vehicles": [MINI, RACER, SLED],
    "/api/cars": [{**MINI, "doors": 3}],
    "/api/bikes?expand=owner": [{**RACER, "owner": ADA}],
    "/api/cars/1": {**MINI, "doors": 3},
    "/api/cars/2": 404,
    "/api/vehicles/2": RACER,
    "/api/people?expand=vehicles,cars&id=1": [
        {**ADA, "vehicles": [MINI, RACER], "cars": [{**MINI, "doors": 3}]}
    ],
    "/api/people?cars__doors=3": [ADA],
    "/api/people/1/cars": [{**MINI, "doors": 3}],
    "/api/people/1/cars?count=exact&fields=id": [{"id": 1}],
    # joined inheritance
    "/api/people": [ADA, BOB, CLEO],
    "/api/workers": [WORKER_ADA, WORKER_BOB],
    "/api/workers/3": 404,
    "/api/workers/2?expand=mentor,boss": {**WORKER_BOB, "mentor": WORKER_ADA, "boss": ADA},
    "/api/workers?mentor__name=Ada": [WORKER_BOB],
    "/api/workers?sort=-mentor.wage,-name&fields=id": [{"id": 1}, {"id": 2}],
    "/api/workers/1/pupils": [WORKER_BOB],
    "/api/workers/1?expand=pupils,team&fields=id": {
        "id": 1,
        "pupils": [WORKER_BOB],
        "team": [BOB, CLEO],
    },
    # concrete inheritance
    "/api/notes": [{"id": 1, "body": "plain"}],
    "/api/signed-notes": [{"id": 1, "body": "signed", "author": "Ada"}],
    # self-reference
    "/api/people?expand=boss.team&id=2": [{**BOB, "boss": {**ADA, "team": [BOB, CLEO]}}],
    "/api/people?boss__boss__isnull=true&boss__isnull=false": [BOB, CLEO],
    "/api/people?filter=any(team%2C%20name%20%3D%20%22Cleo%22)": [ADA],
    "/api/people?sort=-boss.name,id&fields=id": [{"id": 1}, {"id": 2}, {"id": 3}],
    "/api/people/1/team?boss__name=Ada&sort=-id": [CLEO, BOB],
    # several foreign keys to one table, expressions on both
    "/api/flights?expand=origin,target": [
        {**FLIGHT, "origin": OSLO, "target": ROME},
        {"id": 2, "origin_id": 1, "target_id": None, "origin": OSLO, "target": None},
    ],
    "/api/flights?origin__name=Oslo&target__name=Rome&fields=id": [{"id": 1}],
    "/api/flights?sort=target.name,origin.departures&fields=id": [{"id": 1}, {"id": 2}],
    # association object, and a many-to-many relation through it in the order of its column
    "/api/flights/1?expand=stops.city": {
        **FLIGHT,
        "stops": [
            {"flight_id": 1, "city_id": 3, "place": 1, "city": LIMA},
            {"flight_id": 1, "city_id": 1, "place": 2, "city": OSLO},
        ],
    },
    "/api/flights/1?expand=cities&fields=id": {"id": 1, "cities": [OSLO, LIMA]},
    "/api/stops/1,3": {"flight_id": 1, "city_id": 3, "place": 1},
    "/api/flights?stops__place__gt=1&fields=id": [{"id": 1}],
    "/api/flights/1/cities?sort=name&fields=name": [{"name": "Lima"}, {"name": "Oslo"}],
    # values that SQL makes
    "/api/cities": [OSLO, ROME, LIMA],
    "/api/cities?departures=2": [OSLO],
    "/api/cities?sort=-departures,shout&fields=id": [{"id": 1}, {"id": 3}, {"id": 2}],
    "/api/cities?shout__startswith=LI": [LIMA],
    "/api/cities/1?fields=shout": {"shout": "OSLO!"},
    # odd names and a key of several parts
    "/api/orders": [{"group": "", "number": 2}, ORDER],
    "/api/orders/a%2Fb,1?expand=lines": {**ORDER, "lines": [LINE]},
    "/api/orders/~,2/lines": [],
    "/api/lines?expand=order&id=1": [{**LINE, "order": ORDER}],
    "/api/lines?limit__exact=5&fields=limit": [{"limit": 5}],
    f"/api/lines?{quote('größe')}=1&fields=id": [{"id": 1}],
    f"/api/lines?filter={quote('größe = 1 and `limit` = 5')}&fields=id": [{"id": 1}],
    "/api/lines?sort=-percent,-order.number&fields=id": [{"id": 2}, {"id": 1}],
    "/api/lines?order__isnull=true&fields=id": [{"id": 2}],
    # a view: listed, never addressed
    "/api/totals": [{"wage": 10, "heads": 2}],
    "/api/totals?heads__gt=1&sort=-wage": [{"wage": 10, "heads": 2}],
    "/api/totals?heads__gt=2": [],
    "/api/totals/10": 404,
    "/api/totals/10,2": 404,
}


@pytest.mark.parametrize("path", ANSWERS)
def test_answer(ask: Ask, path: str) -> None:
    answer = ask(path)

    body = answer.json()
    found = body.get("items", body) if answer.status_code == 200 else answer.status_code
    assert found == ANSWERS[path], answer.text


# More columns than a function of either database takes arguments.


class WideBase(DeclarativeBase):
    pass


COLUMNS = [f"column_{number}" for number in range(250)]

Wide = type(
    "Wide",
    (WideBase,),
    {
        "__tablename__": "wide",
        "id": Column(Integer, primary_key=True),
        "parent_id": Column(ForeignKey("wide.id")),
        **{name: Column(Integer) for name in COLUMNS},
        "children": relationship("Wide", order_by="Wide.id"),
    },
)


def test_row_of_many_columns_is_answered_and_expanded(
    database_url: str, fill: Any, serve: Any
) -> None:
    values = {name: number for number, name in enumerate(COLUMNS)}
    child = Wide(id=2, **values)
    fill(database_url, WideBase.metadata, [Wide(id=1, children=[child], **values)])
    app = Tilth(database_url)
    app.expose(Wide, Policy(read=public))

    row = serve(app)("/api/wides/1?expand=children").json()

    row_of_child = {"id": 2, "parent_id": 1, **values}
    assert row == {"id": 1, "parent_id": None, **values, "children": [row_of_child]}


def test_too_many_rows_to_expand_are_refused_with_a_way_out(
    database_url: str, fill: Any, serve: Any
) -> None:
    team = [{"id": n, "kind": "person", "name": "x", "boss_id": 1} for n in range(2, 10_003)]
    fill(database_url, Base.metadata, [Person(id=1, name="Ada")], rows={Person: team})
    app = Tilth(database_url)
    app.expose(Person, Policy(read=public))
    ask = serve(app)

    refused = ask("/api/people/1?expand=team")

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "?expand")
    assert len(ask("/api/people/1/team?limit=200").json()["items"]) == 200
