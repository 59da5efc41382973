"""Table classes are validated between construction and flush, never when loaded; values stay exact."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import field_validator
from sqlalchemy import DateTime, insert, select
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlmodel import Field, SQLModel
from tests.scopes.conftest import running
from tests.scopes.league import ADA

from tilth import ExactDecimal, Policy, Tilth, public
from tilth.errors import Invalid
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    pass


class Reading(Base):
    __tablename__ = "reading"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    exact: Mapped[Decimal | None] = mapped_column(ExactDecimal(30, 10))


class Person(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(min_length=2)
    age: int = Field(ge=0)
    born: datetime | None = None

    @field_validator("name")
    @classmethod
    def trimmed(cls, name: str) -> str:
        return name.strip()


@pytest.fixture
async def app(database_url: str) -> AsyncIterator[Tilth]:
    engine = sync_engine(database_url)
    tables = [Person.__table__]  # type: ignore[attr-defined]
    SQLModel.metadata.create_all(engine, tables=tables)
    create_missing_tables(engine, [Base.metadata, OWN])
    engine.dispose()
    app = Tilth(database_url)
    app.expose(Person, Policy(read=public, write=public))
    app.expose(Reading, Policy(read=public, write=public))
    async with running(app):
        yield app


async def test_what_a_constructor_takes_a_flush_refuses_with_every_fault(app: Tilth) -> None:
    with pytest.raises(Invalid) as raised:
        async with app.scope(ADA) as scope:
            scope.session.add(Person(name="x", age="old"))  # type: ignore[arg-type]

    assert sorted(fault.pointer for fault in raised.value.faults) == ["/age", "/name"]


async def test_a_value_that_was_set_later_is_refused_too(app: Tilth) -> None:
    async with app.scope(ADA) as scope:
        person = Person(name="Ada", age=3)
        scope.session.add(person)
        await scope.session.flush()
        person.age = -1
        with pytest.raises(Invalid, match="/age"):
            await scope.session.flush()
        await scope.session.rollback()


async def test_what_a_validator_makes_of_a_value_is_stored(app: Tilth) -> None:
    async with app.scope(ADA) as scope:
        scope.session.add(Person(name="  Ada ", age="36"))  # type: ignore[arg-type]
    async with app.scope(ADA, writes=False) as scope:
        assert await scope.objects(Person).values("name", "age") == [{"name": "Ada", "age": 36}]


async def test_what_is_stored_is_read_whatever_the_model_says(app: Tilth) -> None:
    async with app.scope(ADA) as scope:
        await scope.session.execute(insert(Person).values(id=7, name="x", age=-5))
    async with app.scope(ADA) as scope:
        person = await scope.objects(Person).get(id=7)
        assert (person.name, person.age) == ("x", -5)
        # Only what is changed is a reason to look.
        await scope.session.flush()


HERE = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))


async def test_an_instant_stays_the_same_instant_and_is_aware(app: Tilth) -> None:
    async with app.scope(ADA) as scope:
        scope.session.add(Reading(at=HERE))
        await scope.objects(Reading).create(at=HERE)
        scope.session.add(Person(name="Ada", age=1, born=HERE))
    with app.scope(ADA) as plain:
        readings = plain.objects(Reading).order_by("id")
        found = [each.at for each in readings]
        stored = plain.session.scalars(select(Reading.at).where(Reading.at <= HERE)).all()
        born = plain.objects(Person).get(name="Ada").born

        assert found == list(stored) == [HERE, HERE]
        assert {each.utcoffset() for each in found} == {timedelta()}
        assert all(each < datetime.now(UTC) for each in found)
        assert born == HERE
        assert readings.filter(at=HERE).count() == 2
        assert readings.values("at") == [{"at": HERE}, {"at": HERE}]


async def test_an_instant_without_a_zone_is_refused_where_the_type_knows_better(app: Tilth) -> None:
    with pytest.raises((Invalid, StatementError), match="timezone"):
        async with app.scope(ADA) as scope:
            scope.session.add(Person(name="Ada", age=1, born=datetime(2026, 1, 1)))


@pytest.mark.parametrize("text", ["12345678901234567890.0123456789", "0.1000000000", "-1E-10"])
async def test_a_decimal_is_kept_digit_by_digit(app: Tilth, text: str) -> None:
    value: Any = Decimal(text)
    async with app.scope(ADA) as scope:
        scope.session.add(Reading(at=HERE, exact=value))
        await scope.objects(Reading).create(at=HERE, exact=value)
    async with app.scope(ADA, writes=False) as scope:
        readings = await scope.objects(Reading).order_by("id")
        assert [each.exact for each in readings] == [value, value]
        assert await scope.objects(Reading).filter(exact=value).count() == 2
        assert await scope.objects(Reading).filter(exact__gt=value).count() == 0
