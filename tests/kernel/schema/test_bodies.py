"""What a body may give a field: accepted, or a sentence that says what was expected."""

import enum
import json
from base64 import b64encode
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field as Limit
from sqlalchemy import (
    ARRAY,
    JSON,
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    TypeDecorator,
    Uuid,
    column,
)
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.types import TypeEngine
from sqlmodel import Field as ModelField
from sqlmodel import SQLModel

from tilth import ExactDecimal
from tilth.kernel.schema.bodies import accepted
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.kinds import kind_of
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.resource import Field


class Mixed(enum.Enum):
    one = 1
    half = 0.5
    word = "word"


class Wrapped(TypeDecorator[int]):
    impl = Integer
    cache_ok = True


class Limited(SQLModel, table=True):
    """Field constraints of pydantic."""

    __tablename__ = "limited"
    id: int | None = ModelField(default=None, primary_key=True)
    age: int | None = ModelField(default=None, ge=18, lt=100)
    code: Annotated[str, Limit(pattern="^[a-z]+$", min_length=2)] = "ab"


def field_of(type_: TypeEngine[Any], *, nullable: bool = False) -> Field:
    kind = kind_of(type_, "postgresql")
    assert kind is not None
    return Field("x", column("x", type_), kind, nullable, max_length=getattr(type_, "length", None))


def as_read(value: Any) -> Any:
    """As a body arrives: numbers with a point are Decimals."""
    return json.loads(json.dumps(value), parse_float=Decimal)


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ACCEPTED: list[tuple[TypeEngine[Any], Any, Any]] = [
    (Boolean(), True, True),
    (Integer(), 5, 5),
    (Integer(), 5.0, 5),
    (Integer(), 1e3, 1000),
    (SmallInteger(), 2**15 - 1, 2**15 - 1),
    (BigInteger(), -(2**63), -(2**63)),
    (Float(), 1, 1.0),
    (Float(), 1.5, 1.5),
    (Float(53, asdecimal=True), 1.5, Decimal("1.5")),
    (REAL(), 1e-300, 0.0),
    (Numeric(6, 1, asdecimal=False), 1.5, 1.5),
    (Numeric(10, 2), "12.5", Decimal("12.5")),
    (Numeric(10, 2), "012.500", Decimal("12.500")),
    (Numeric(10, 2), 12.5, Decimal("12.5")),
    (Numeric(10, 2), 12, Decimal(12)),
    (Numeric(3, 5), "0.00123", Decimal("0.00123")),
    (Numeric(), "1.23456789", Decimal("1.23456789")),
    (ExactDecimal(38, 10), "-" + "9" * 28, Decimal("-" + "9" * 28)),
    (String(3), "äöü", "äöü"),
    (Text(), "", ""),
    (LargeBinary(), "AP8=", b"\x00\xff"),
    (DateTime(timezone=True), "2026-01-31T12:00:00Z", NOON),
    (DateTime(timezone=True), "2026-01-31t13:00:00.0000000+01:00", NOON),
    (DateTime(), "2026-01-31T12:00:00-00:00", NOON.replace(tzinfo=None)),
    (Date(), "2024-02-29", date(2024, 2, 29)),
    (Time(), "23:59", time(23, 59)),
    (Time(timezone=True), "12:00:00Z", time(12, tzinfo=UTC)),
    (Interval(), "-P1DT0.5S", -timedelta(days=1, seconds=0.5)),
    (Uuid(), "00000000-0000-0000-0000-00000000000A", UUID(int=10)),
    (Uuid(as_uuid=False), "00000000-0000-0000-0000-00000000000A", str(UUID(int=10))),
    (Enum("a", "b", name="ab"), "b", "b"),
    (Enum(Mixed), 1, Mixed.one),
    (Enum(Mixed), 1.0, Mixed.one),
    (Enum(Mixed), 0.5, Mixed.half),
    (JSON(), {"a": [1.5, None]}, {"a": [1.5, None]}),
    (ARRAY(Integer), [1, None, 2.0], [1, None, 2]),
    (ARRAY(Date), [["2026-01-31"], [None]], [[date(2026, 1, 31)], [None]]),
    (pg.INET(), "10.0.0.1", "10.0.0.1"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value", "expected"), ACCEPTED)
def test_accepts(type_: TypeEngine[Any], value: Any, expected: Any) -> None:
    found = accepted(field_of(type_), as_read(value))

    assert found == expected
    assert type(found) is type(expected)


REFUSED: list[tuple[TypeEngine[Any], Any, str]] = [
    (Boolean(), None, "Must not be null."),
    (Boolean(), "true", "Expected true or false, not text."),
    (Integer(), True, "Expected a whole number, not true."),
    (Integer(), 1.5, "Expected a whole number, not 1.5."),
    (Integer(), 2**31, "Expected a whole number from -2147483648 to 2147483647."),
    (Wrapped(), 2**31, "Expected a whole number from -2147483648 to 2147483647."),
    (SmallInteger(), 2**15, "Expected a whole number from -32768 to 32767."),
    (Float(), "1.5", "Expected a number, not text."),
    (Float(), 10**400, "Expected a number of at most 400 digits."),
    (Float(), 10**350, "Expected a number that a 64-bit float can hold."),
    (REAL(), 1e39, "Expected a number that a 32-bit float can hold."),
    (Numeric(6, 1, asdecimal=False), 0.25, "0.25 does not fit: 5 digits before the point, 1 after it."),
    (Numeric(10, 2), "1e2", "Expected a decimal number as text, such as 12.50."),
    (Numeric(10, 2), "1.234", "1.234 does not fit: 8 digits before the point, 2 after it."),
    (Numeric(10, 2), True, "Expected a decimal number as text, not true."),
    (String(3), "äöüß", "Expected at most 3 characters, not 4."),
    (String(3), "\0", "Text must not contain the NUL character."),
    (String(3), 5, "Expected text, not a number."),
    (LargeBinary(), "AP8", '"AP8" is not base64.'),
    (LargeBinary(1), "AP8=", "Expected at most 1 bytes, not 2."),
    (DateTime(), "2026-01-31", "Expected a date and time with its offset, such as 2026-01-31T23:59:59Z."),
    (DateTime(), "2026-01-31T12:00:00", "Expected a date and time with its offset, such as 2026-01-31T23:59:59Z."),
    (DateTime(), "0001-01-01T00:00:00+01:00", '"0001-01-01T00:00:00+01:00" is not a date and time such as 2026-01-31T23:59:59Z.'),
    (Date(), "2026-02-29", '"2026-02-29" is not a date such as 2026-01-31.'),
    (Time(), "24:00:00", '"24:00:00" is not a time such as 23:59:59.'),
    (Time(timezone=True), "12:00:00", "Expected a time with its offset, such as 23:59:59Z."),
    (Interval(), "P1M", '"P1M" is not a duration such as P1DT2H30M: months have no fixed length.'),
    (Uuid(), "0" * 32, "Expected a UUID with dashes."),
    (Enum("a", "b", name="ab"), "c", "Expected one of: a, b."),
    (Enum(Mixed), "1", "Expected one of: 1, 0.5, word."),
    (JSON(), None, "Must not be null."),
    (JSON(), ["\0"], "Text must not contain the NUL character."),
    (ARRAY(Integer), "1", "Expected a list, not text."),
    (ARRAY(Integer), [1, "2"], "Expected a whole number, not text."),
    (ARRAY(Integer), [1, [2]], "Expected lists inside the list to be as long as each other, or none."),
    (ARRAY(Integer), [[1], [1, 2]], "Expected lists inside the list to be as long as each other, or none."),
    (ARRAY(Integer), [[[[[[[1]]]]]]], "Expected lists inside the list to be as long as each other, or none."),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "value", "sentence"), REFUSED)
def test_refuses_with_a_sentence(type_: TypeEngine[Any], value: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as refused:
        accepted(field_of(type_), as_read(value))

    assert str(refused.value) == sentence


def test_number_that_is_nearly_0_is_no_whole_one() -> None:
    with pytest.raises(ValueError, match="close to 0"):
        accepted(field_of(Integer()), Decimal("1e-400"))


def test_null_is_accepted_where_it_may_be() -> None:
    assert accepted(field_of(Integer(), nullable=True), None) is None


@pytest.mark.parametrize(
    ("name", "value", "is_accepted"),
    [("age", 18, True), ("age", 17, False), ("age", 100, False), ("age", None, True),
     ("code", "abc", True), ("code", "a", False), ("code", "A1", False)],
)  # fmt: skip
def test_constraints_of_the_model_hold(name: str, value: Any, *, is_accepted: bool) -> None:
    schema, _ = schema_from([Exposure(Limited)], "sqlite")
    field = schema["limiteds"].fields[name]

    if is_accepted:
        assert accepted(field, value) == value
    else:
        with pytest.raises(ValueError, match=r"\.$"):
            accepted(field, value)


# What a database hands over for a Python value (the carrier), and the values there are.
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
decimals = st.integers(-(10**12) + 1, 10**12 - 1).map(lambda digits: Decimal(digits).scaleb(-4))
STORED: list[tuple[TypeEngine[Any], Any, Any]] = [
    (Boolean(), st.booleans(), bool),
    (Integer(), st.integers(-(2**31), 2**31 - 1), int),
    (BigInteger(), st.integers(-(2**63), 2**63 - 1), int),
    (Float(), st.floats(allow_nan=False, allow_infinity=False), float),
    (Numeric(12, 4), decimals, str),
    (ExactDecimal(12, 4), decimals, str),
    (Numeric(), st.decimals(allow_nan=False, allow_infinity=False, places=9), str),
    (String(), st.text(letters), str),
    (LargeBinary(), st.binary(), bytes.hex),
    (DateTime(), moments, str),
    (DateTime(timezone=True), moments.map(lambda m: m.replace(tzinfo=UTC)), str),
    (Date(), st.dates(), str),
    (Time(), st.times(), str),
    (Time(timezone=True), st.times(timezones=st.just(UTC)), str),
    (Uuid(), st.uuids(), str),
    (Enum(Mixed), st.sampled_from(Mixed), lambda member: member.name),
    (JSON(), st.dictionaries(st.text(letters), st.none() | st.booleans() | st.integers(-9, 9)), json.dumps),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "values", "carried"), STORED)
@given(data=st.data())
def test_what_is_answered_is_accepted_as_what_is_stored(
    type_: TypeEngine[Any], values: Any, carried: Any, data: st.DataObject
) -> None:
    stored, field = data.draw(values), field_of(type_)

    answer = field.kind.decode(carried(stored))

    assert accepted(field, as_read(answer)) == stored


@given(st.timedeltas(timedelta(days=-999_999_999), timedelta(days=999_999_999)))
def test_an_interval_that_is_answered_is_accepted(stored: timedelta) -> None:
    field = field_of(Interval())
    days, seconds = divmod(stored, timedelta(days=1))
    carrier = f"P{days}DT{seconds.seconds}.{seconds.microseconds:06}S"

    assert accepted(field, field.kind.decode(carrier)) == stored


def test_bytes_of_any_length_come_back() -> None:
    for length in range(20):
        data = bytes(range(length))
        assert accepted(field_of(LargeBinary()), b64encode(data).decode()) == data
