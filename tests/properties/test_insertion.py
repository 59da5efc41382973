"""A row inserted without a mapped object is the row that the ORM would have stored, or refused alike."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    ForeignKey,
    Numeric,
    String,
    Text,
    event,
    null,
    select,
    text,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    class_mapper,
    mapped_column,
    sessionmaker,
    validates,
)
from sqlmodel import Field, SQLModel

from tilth import ExactDecimal
from tilth.errors import Invalid
from tilth.kernel.store.insertion import Insertions, insert_many, insert_one
from tilth.kernel.store.sync import sync_engine
from tilth.kernel.store.validation import validating_sessions

Values = dict[str, Any]


class Base(DeclarativeBase):
    pass


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20))
    given: Mapped[str | None] = mapped_column(String(20), default="python")
    kept: Mapped[str | None] = mapped_column(String(20), server_default=text("'server'"))
    renamed: Mapped[int | None] = mapped_column("other_name", default=lambda: 7)
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    day: Mapped[date | None]
    extra: Mapped[Any] = mapped_column(JSON, nullable=True)
    bare: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("plain.id"))


class Size(enum.Enum):
    small = "S"
    large = "L"


class Rich(Base):
    """A value of every type that is sent as JSON where many rows are sent as one."""

    __tablename__ = "rich"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    flag: Mapped[bool | None]
    ratio: Mapped[float | None]
    price: Mapped[Decimal | None] = mapped_column(ExactDecimal(12, 3))
    large: Mapped[int | None] = mapped_column(BigInteger)
    moment: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    local: Mapped[datetime | None]
    token: Mapped[UUID | None]
    size: Mapped[Size | None]
    label: Mapped[str | None] = mapped_column('100% "odd"', Text)
    notes: Mapped[Any] = mapped_column(JSON, nullable=True)
    bare: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)


RICH: dict[str, st.SearchStrategy[Any]] = {
    "flag": st.booleans(),
    "ratio": st.floats(allow_nan=False, allow_infinity=False, width=64),
    "price": st.decimals(-(10**9) + 1, 10**9 - 1, places=3),
    "large": st.integers(-(2**63), 2**63 - 1),
    "moment": st.datetimes(timezones=st.just(UTC)),
    "local": st.datetimes(),
    "token": st.uuids(),
    "size": st.sampled_from(Size),
    "label": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9),
    "notes": st.recursive(
        st.none() | st.booleans() | st.integers(0, 9) | st.text('ab"\\', max_size=3),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner),
        max_leaves=4,
    ),
}
RICH["bare"] = RICH["notes"]


class Checked(SQLModel, table=True):
    __tablename__ = "checked"
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(max_length=5)
    size: int = Field(default=3, ge=0)
    marks: str = Field(default_factory=lambda: "made")
    day: date | None = None


class Validated(Base):
    __tablename__ = "validated"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    @validates("name")
    def lower(self, key: str, value: str) -> str:
        return value.lower()


class Made(Base):
    __tablename__ = "made"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def __init__(self, **values: Any) -> None:
        super().__init__(**{**values, "name": "made"})


class DataclassBase(MappedAsDataclass, DeclarativeBase):
    pass


class AsDataclass(DataclassBase):
    __tablename__ = "as_dataclass"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[str] = mapped_column(default="x")


class Heard(Base):
    __tablename__ = "heard"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


SHORT = st.text("abc", max_size=4)
JSONS = st.none() | st.integers(0, 9) | st.lists(SHORT, max_size=2)
PLAIN = st.fixed_dictionaries(
    {"name": SHORT},
    optional={
        "given": SHORT | st.none(),
        "kept": SHORT | st.none(),
        "renamed": st.integers(0, 9) | st.none(),
        "price": st.decimals(0, 99, places=2) | st.none(),
        "day": st.dates() | st.none(),
        "extra": JSONS,
        "bare": JSONS,
    },
)
CHECKED = st.fixed_dictionaries(
    {"name": st.text("ab", max_size=7)},
    optional={
        "size": st.integers(-2, 9) | st.just("4"),
        "marks": SHORT,
        "day": st.dates() | st.none() | st.just("2024-02-29"),
    },
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def sessions(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sessionmaker[Session]]:
    if request.param == "sqlite":
        yield from _sessions(f"sqlite:///{tmp_path_factory.mktemp('insertion') / 'rows.db'}")
        return
    with request.getfixturevalue("postgres_server").new_database() as url:
        yield from _sessions(url)


def _sessions(url: str) -> Iterator[sessionmaker[Session]]:
    engine = sync_engine(url)
    Base.metadata.create_all(engine)
    SQLModel.metadata.create_all(engine, tables=[Checked.__table__])  # type: ignore[attr-defined]
    yield validating_sessions(engine)
    engine.dispose()


Store = Callable[[Session, type, list[Values]], None]


def by_orm(session: Session, model: type, rows: list[Values]) -> None:
    """None is the lack of a value to the ORM, and null() says that NULL is meant."""
    columns = class_mapper(model).columns
    for values in rows:
        entity = model()
        for name, value in values.items():
            means_null = value is None and columns[name].nullable
            setattr(entity, name, null() if means_null else value)
        session.add(entity)
    session.flush()


def one_by_one(session: Session, model: type, rows: list[Values]) -> None:
    insertion = Insertions().find(model, session)
    assert insertion is not None
    for values in rows:
        parameters = insertion.parameters(values)
        assert parameters is not None
        insert_one(session, insertion, parameters)


def together(session: Session, model: type, rows: list[Values]) -> None:
    insertion = Insertions().find(model, session)
    assert insertion is not None
    parameters = [insertion.parameters(values) or {} for values in rows]
    insert_many(session, insertion, parameters)


def outcome(
    sessions: sessionmaker[Session], store: Store, model: type, rows: list[Values]
) -> tuple[Any, ...]:
    """The rows as they are stored, but for their keys, or the faults."""
    table = model.__table__  # type: ignore[attr-defined]
    columns = [column for column in table.c if column.name != "id"]
    with sessions() as session:
        try:
            store(session, model, rows)
        except Invalid as exc:
            return tuple(sorted((e.pointer, e.code, e.detail) for e in exc.faults))
        found = session.execute(select(*columns).order_by(table.c.id)).all()
        session.rollback()
    return tuple(map(tuple, found))


@pytest.mark.parametrize(("model", "rows"), [(Plain, PLAIN), (Checked, CHECKED)])
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_row_is_the_one_that_the_orm_stores(
    sessions: sessionmaker[Session], model: type, rows: Any, data: st.DataObject
) -> None:
    values = [data.draw(rows)]

    assert outcome(sessions, one_by_one, model, values) == outcome(sessions, by_orm, model, values)


@given(values=st.lists(st.fixed_dictionaries({"name": SHORT, "day": st.dates()}), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_inserted_together_are_those_that_the_orm_stores(
    sessions: sessionmaker[Session], values: list[Values]
) -> None:
    assert outcome(sessions, together, Plain, values) == outcome(sessions, by_orm, Plain, values)


@given(
    values=st.lists(
        st.fixed_dictionaries({name: st.none() | each for name, each in RICH.items()}),
        min_size=1,
        max_size=4,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_of_every_type_arrive_together_as_they_do_one_by_one(
    sessions: sessionmaker[Session], values: list[Values]
) -> None:
    keyed = [{"id": UUID(int=place), **each} for place, each in enumerate(values)]

    assert outcome(sessions, together, Rich, keyed) == outcome(sessions, by_orm, Rich, keyed)


@pytest.mark.parametrize("model", [Plain, Rich, Checked])
def test_keys_are_told_in_the_order_of_the_rows(
    sessions: sessionmaker[Session], model: Any
) -> None:
    column = "label" if model is Rich else "name"
    with sessions() as session:
        insertion = Insertions().find(model, session)
        assert insertion is not None
        names = [f"{number % 7}{number}" for number in range(300)]
        rows = [insertion.parameters({column: name}) or {} for name in names]

        keys = insert_many(session, insertion, rows)

        found = {key: session.get_one(model, key) for key in keys}
        assert [getattr(found[key], column) for key in keys] == names
        session.rollback()


@pytest.mark.parametrize("model", [Validated, Made, AsDataclass])
def test_model_with_code_of_its_own_is_left_to_the_orm(
    sessions: sessionmaker[Session], model: type
) -> None:
    with sessions() as session:
        assert Insertions().find(model, session) is None


def _ignore(*_: object) -> None:
    """A listener, which is all it has to be."""


@pytest.mark.parametrize(
    ("target", "name"),
    [(Heard, "before_insert"), (Heard, "after_insert"), (Heard, "init"), (Heard.name, "set")],
    ids=lambda each: str(each),
)
def test_listener_is_noticed_when_it_comes_and_when_it_goes(
    sessions: sessionmaker[Session], target: Any, name: str
) -> None:
    insertions = Insertions()
    with sessions() as session:
        before = insertions.find(Heard, session)
        event.listen(target, name, _ignore)
        during = insertions.find(Heard, session)
        event.remove(target, name, _ignore)
        after = insertions.find(Heard, session)

    assert (before is None, during is None, after is None) == (False, True, False)


@pytest.mark.parametrize("name", ["before_flush", "after_flush", "before_attach"])
def test_listener_of_the_session_is_noticed(sessions: sessionmaker[Session], name: str) -> None:
    with sessions() as session:
        event.listen(session, name, _ignore)

        assert Insertions().find(Heard, session) is None
