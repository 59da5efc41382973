"""The same request has the same answer on SQLite and on PostgreSQL, and it is what the ORM loads.

One model has every kind of value and refers to itself, so that every kind also occurs expanded:
to-one (joined into the row) and to-many (collected in the database).
"""

from __future__ import annotations

import asyncio
import enum
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from math import isfinite
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import (
    JSON,
    REAL,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Numeric,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tilth import ExactDecimal, Policy, Tilth, public
from tilth.kernel.store.sync import create_missing_tables, sync_engine

Row = dict[str, Any]


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    RED = "red as a rose"
    BLUE = "BLUE"
    GREEN = "g"


friends = Table(
    "friends",
    Base.metadata,
    Column("thing_id", ForeignKey("thing.id", ondelete="CASCADE"), primary_key=True),
    Column("friend_id", ForeignKey("thing.id", ondelete="CASCADE"), primary_key=True),
)


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    flag: Mapped[bool | None]
    small: Mapped[int | None]
    big: Mapped[int | None] = mapped_column(BigInteger)
    ratio: Mapped[float | None]
    short: Mapped[float | None] = mapped_column(REAL)
    reading: Mapped[float | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    balance: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    exact: Mapped[Decimal | None] = mapped_column(ExactDecimal(38, 10))
    name: Mapped[str | None]
    data: Mapped[bytes | None]
    day: Mapped[date | None]
    clock: Mapped[time | None]
    local: Mapped[datetime | None]
    instant: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    span: Mapped[timedelta | None]
    code: Mapped[UUID | None]
    colour: Mapped[Colour | None]
    extra: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("thing.id"))
    parent: Mapped[Thing | None] = relationship(remote_side=[id], back_populates="children")
    children: Mapped[list[Thing]] = relationship(back_populates="parent", order_by="Thing.id")
    friends: Mapped[list[Thing]] = relationship(
        secondary=friends,
        primaryjoin=id == friends.c.thing_id,
        secondaryjoin=id == friends.c.friend_id,
        order_by="Thing.id",
    )


FIELDS = tuple(column.key for column in Thing.__table__.columns)
EXPANSIONS = [
    "parent",
    "children",
    "friends",
    "parent.parent",
    "children.friends",
    "friends.parent",
]

# NaN, which PostgreSQL keeps and orders, is NULL to SQLite: answered alike, but not compared.
ONLY_ANSWERED = {"reading", "balance"}
UNSORTED = {"data", "extra"}
SORTABLE = [name for name in FIELDS if name not in ONLY_ANSWERED | UNSORTED]

TEXTS = ["", " ", "a", "A", "é", "e\u0301", "ß", "İ", "ΑΣ", "😀", "%", "_", "\\", "'", '"', "`",
         "\n", "\r\n", "\t", "\u2028", "\ufeff", "a,b", "null", "\x7f", "\x01", "𝒳x"]  # fmt: skip
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
ZONES = [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))]

texts = st.sampled_from(TEXTS) | st.text(LETTERS, max_size=8)
floats = st.sampled_from([0.0, -0.0, 5e-324, -1e-310, 1.7976931348623157e308, 0.1, 1e22, 1e21])
finite = floats | st.floats(allow_nan=False, allow_infinity=False)
bigs = st.sampled_from([0, 2**63 - 1, -(2**63), 2**53 + 1]) | st.integers(-(2**63), 2**63 - 1)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
# SQLite keeps a number that is all of the JSON as a number of its own: 1.0 becomes 1.
documents = json_values.filter(lambda value: isinstance(value, bool | str | list | dict))

VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "flag": st.booleans(),
    "small": st.integers(-(2**31), 2**31 - 1),
    "big": bigs,
    "ratio": finite,
    "short": st.integers(-99_999, 99_999).map(lambda cents: cents / 100),
    "reading": st.floats(),
    "price": st.decimals(Decimal("-99999999.99"), Decimal("99999999.99"), places=2),
    "balance": st.sampled_from([Decimal("NaN"), Decimal("Infinity"), Decimal("1.10")]),
    "exact": st.decimals(Decimal(-(10**28) + 1), Decimal(10**28 - 1), places=10),
    "name": texts,
    "data": st.binary(max_size=6),
    "day": st.dates(),
    "clock": st.times(),
    "local": st.datetimes(),
    "instant": st.datetimes(
        datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.sampled_from(ZONES)
    ),
    "span": st.timedeltas(timedelta(-700_000), timedelta(2_900_000)),
    "code": st.uuids(),
    "colour": st.sampled_from(Colour),
    "extra": documents,
}

rows_of_things = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}),
    min_size=1,
    max_size=6,
)


@dataclass(frozen=True)
class Served:
    """One application over one database."""

    engine: Engine
    ask: Callable[[str], httpx.Response]


@pytest.fixture(scope="module")
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Served]]:
    folder = tmp_path_factory.mktemp("both")
    with (
        request.getfixturevalue("postgres_server").new_database() as url,
        served(f"sqlite:///{folder / 'same.db'}") as sqlite,
        served(url) as postgresql,
    ):
        yield sqlite, postgresql


@contextmanager
def served(url: str) -> Iterator[Served]:
    engine = sync_engine(url)
    create_missing_tables(engine, [Base.metadata])
    app = Tilth(url)
    app.expose(Thing, Policy(read=public), search=["name"])
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
        yield Served(engine, lambda path: runner.run(client.get(path)))
        runner.run(app.freeze().store.database.close())
    engine.dispose()


@dataclass(frozen=True)
class World:
    """Rows that both databases took. parents, links: indexes that are brought into range."""

    rows: list[Row]
    parents: list[int]
    links: list[tuple[int, int]]


worlds = st.builds(
    World,
    rows_of_things,
    st.lists(st.integers(-3, 6), min_size=7, max_size=7),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=6),
)


def filled(both: tuple[Served, Served], world: World) -> list[Row]:
    """The same rows in both databases, without those that one of them refuses."""
    with both[0].engine.begin() as one, both[1].engine.begin() as other:
        pair = (one, other)
        for connection in pair:
            connection.execute(delete(friends))
            connection.execute(update(Thing).values(parent_id=None))
            connection.execute(delete(Thing))
        rows = [dict(row, id=number) for number, row in enumerate(world.rows)]
        taken = [row for row in rows if all([takes(connection, row) for connection in pair])]
        ids = [row["id"] for row in taken]
        for connection in pair:
            connection.execute(delete(Thing).where(Thing.id.not_in(ids)))
            related(connection, world, ids)
    return taken


def takes(connection: Connection, row: Row) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(insert(Thing), row)
    except StatementError:
        return False
    return True


def related(connection: Connection, world: World, ids: Sequence[int]) -> None:
    for number, parent in zip(ids, world.parents, strict=False):
        if parent >= 0:
            values = {"parent_id": ids[parent % len(ids)]}
            connection.execute(update(Thing).where(Thing.id == number).values(values))
    links = {(ids[a % len(ids)], ids[b % len(ids)]) for a, b in world.links if ids}
    for thing, friend in sorted(links):
        connection.execute(insert(friends), {"thing_id": thing, "friend_id": friend})


def url_text(value: Any) -> str:
    """A value as a client writes it in a query."""
    match value:
        case bool():
            return "true" if value else "false"
        case enum.Enum():
            return str(value.value)
        case bytes():
            return b64encode(value).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return str(TypeAdapter(timedelta).dump_python(value, mode="json"))
        case float():
            return repr(value)
        case Decimal():
            return format(value, "f")
    return str(value)


ORDERED = ["exact", "ne", "lt", "lte", "gt", "gte", "in", "range", "isnull"]
EQUAL = ["exact", "ne", "in", "isnull"]
LOOKUPS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(FIELDS, ORDERED),
    **dict.fromkeys(["flag", "data", "colour"], EQUAL),
    "extra": ["isnull"],
    "name": [*ORDERED, "iexact", "contains", "icontains", "startswith", "istartswith",
             "endswith", "iendswith"],
}  # fmt: skip


@st.composite
def lookups(draw: st.DrawFn, rows: Sequence[Row]) -> tuple[str, str]:
    """One parameter, its value mostly taken from a row."""
    name = draw(st.sampled_from([n for n in VALUES if n not in ONLY_ANSWERED]))
    lookup = draw(st.sampled_from(LOOKUPS[name]))
    path = draw(st.sampled_from(["", "parent__", "children__", "friends__"]))
    if lookup == "isnull":
        return f"{path}{name}__isnull", draw(st.sampled_from(["true", "false"]))
    stored = [row[name] for row in rows if row[name] is not None]
    values = st.sampled_from(stored) | VALUES[name] if stored else VALUES[name]
    count = {"in": draw(st.integers(0, 3)), "range": 2}.get(lookup, 1)
    written = [url_text(draw(values)) for _ in range(count)]
    if lookup in ("in", "range"):
        written = ['"' + text.replace('"', '""') + '"' for text in written]
    return f"{path}{name}__{lookup}", ",".join(written)


@st.composite
def queries(draw: st.DrawFn, rows: Sequence[Row]) -> dict[str, str]:
    sortable = st.sampled_from([*SORTABLE, "parent.name", "parent.big", "parent.parent.exact"])
    signed = st.tuples(st.sampled_from(["", "-"]), sortable).map("".join)
    asked = {
        "fields": draw(st.lists(st.sampled_from(FIELDS), unique=True, max_size=4)),
        "expand": draw(st.lists(st.sampled_from(EXPANSIONS), unique=True, max_size=2)),
        "sort": draw(st.lists(signed, max_size=3)),
    }
    options = {name: ",".join(names) for name, names in asked.items() if names}
    options |= dict(draw(st.lists(lookups(rows), max_size=2)))
    options |= draw(st.sampled_from([{}, {"count": "exact"}, {"count": "estimated"}]))
    words = draw(st.none() | texts.filter(str.strip))
    return options if words is None else {**options, "q": words}


def address(options: Mapping[str, str], path: str = "/api/things") -> str:
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in options.items())
    return f"{path}?{query}" if query else path


def body_of(response: httpx.Response) -> bytes:
    """Without the cursors, which carry what is stored."""
    return re.sub(rb'"(next|prev)":"[^"]*"', rb'"\1":"..."', response.content)


some_examples = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@some_examples
@given(world=worlds, data=st.data())
def test_same_request_same_answer(
    both: tuple[Served, Served], world: World, data: st.DataObject
) -> None:
    rows = filled(both, world)
    for options in data.draw(st.lists(queries(rows), min_size=4, max_size=4)):
        path = address(options)

        one, other = (served.ask(path) for served in both)

        assert (one.status_code, body_of(one)) == (other.status_code, body_of(other))
        assert one.status_code == 200, one.text


@some_examples
@given(world=worlds, data=st.data())
def test_pages_are_the_same_and_lead_to_the_end_and_back(
    both: tuple[Served, Served], world: World, data: st.DataObject
) -> None:
    rows = filled(both, world)
    options = {**data.draw(queries(rows)), "count": "none"}
    path = address({**options, "limit": str(data.draw(st.integers(1, 3)))})

    walks = [(*walked(served.ask, path), items(served.ask(address(options)))) for served in both]

    assert walks[0] == walks[1]
    forwards, backwards, whole = walks[0]
    assert [row for page in forwards for row in page] == whole
    assert backwards == forwards[::-1]


def walked(ask: Callable[[str], httpx.Response], path: str) -> tuple[list[Any], list[Any]]:
    """The pages to the end, and those from there back to the beginning."""
    page = ask(path).json()
    forwards = [page["items"]]
    while page["next"] and len(forwards) < 20:
        page = ask(page["next"]).json()
        forwards.append(page["items"])
    backwards = [page["items"]]
    while page["prev"] and len(backwards) < 20:
        page = ask(page["prev"]).json()
        backwards.append(page["items"])
    return forwards, backwards


def items(response: httpx.Response) -> Any:
    return response.json()["items"]


@some_examples
@given(world=worlds)
def test_answers_are_what_the_orm_loads(both: tuple[Served, Served], world: World) -> None:
    filled(both, world)
    path = "/api/things?expand=parent,children.friends,friends"

    answered = both[0].ask(path).json()["items"]

    with Session(both[0].engine) as session:
        loaded = session.scalars(select(Thing).order_by(Thing.id)).all()
        assert answered == [whole(thing) for thing in loaded]


def whole(thing: Thing) -> Row:
    """The thing with everything that is expanded; through orjson, as a client reads it."""
    row = converted(thing) | {
        "parent": None if thing.parent is None else converted(thing.parent),
        "children": [
            converted(child) | {"friends": [converted(friend) for friend in child.friends]}
            for child in thing.children
        ],
        "friends": [converted(friend) for friend in thing.friends],
    }
    return orjson.loads(orjson.dumps(row))  # type: ignore[no-any-return]


def converted(thing: Thing) -> Row:
    places = {"price": 2, "balance": 2, "exact": 10}
    return {name: json_value(getattr(thing, name), places.get(name, 0)) for name in FIELDS}


def json_value(value: Any, places: int = 0) -> Any:
    match value:
        case enum.Enum():
            return value.value
        case bytes():
            return b64encode(value).decode()
        case datetime():
            return value.isoformat() + "Z"
        case date() | time() | UUID():
            return str(value) if isinstance(value, UUID) else value.isoformat()
        case timedelta():
            return TypeAdapter(timedelta).dump_python(value, mode="json")
        case Decimal():
            return f"{value:.{places}f}" if value.is_finite() else None
        case float():
            return value if isfinite(value) else None
        case int() if not -(2**63) <= value < 2**64:
            # Beyond 64 bits only a float carries an integer, as in any JavaScript client.
            return float(value)
        case list():
            return [json_value(item) for item in value]
        case dict():
            return {key: json_value(item) for key, item in value.items()}
    return value
