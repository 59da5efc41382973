"""Things with every kind of value, which refer to each other, in both databases at once."""

from __future__ import annotations

import asyncio
import enum
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, settings
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
    update,
)
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

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
    app: Tilth
    ask: Callable[[str], httpx.Response]


@contextmanager
def served_on_both(
    request: pytest.FixtureRequest, folders: pytest.TempPathFactory
) -> Iterator[tuple[Served, Served]]:
    folder = folders.mktemp("both")
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
    lifespan = app.router.lifespan_context(app)
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")
        runner.run(lifespan.__aenter__())
        yield Served(engine, app, lambda path: runner.run(client.get(path)))
        runner.run(lifespan.__aexit__(None, None, None))
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


some_examples = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
