"""Text from a URL → Python value for a column, by kind."""

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy.types import TypeEngine

from tilth.kernel.schema.kinds import kind_of


class Colour(enum.Enum):
    RED = "r"
    BLUE = "b"
    CRIMSON = "r"  # noqa: PIE796 (an alias)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def parsed(type_: TypeEngine[Any], text: str) -> Any:
    kind = kind_of(type_, "sqlite")
    assert kind is not None
    return kind.parse(text)


KEY = UUID("0190163d-8694-739b-aea5-966c26f8ad91")
AWARE, NAIVE = DateTime(timezone=True), DateTime()

GOOD: list[tuple[TypeEngine[Any], str, Any]] = [
    (Boolean(), "true", True),
    (Boolean(), "0", False),
    (Integer(), "-12", -12),
    (Integer(), "+007", 7),
    (Integer(), str(2**63 - 1), 2**63 - 1),
    (Float(), "1e3", 1000.0),
    (Float(), "-.5", -0.5),
    (Numeric(10, 2), "12.30", Decimal("12.30")),
    (Numeric(), "1" * 1000, Decimal("1" * 1000)),
    (Numeric(10, 2, asdecimal=False), "1.5", 1.5),
    (String(), "", ""),
    (String(), "naïve \U0001f600", "naïve \U0001f600"),
    (LargeBinary(), "AP8=", b"\x00\xff"),
    (AWARE, "2026-01-31T23:59:59Z", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
    (AWARE, "2026-01-31t23:59:59.5z", datetime(2026, 1, 31, 23, 59, 59, 500000, tzinfo=UTC)),
    (AWARE, "2026-01-31T23:59:59+02:00", datetime(2026, 1, 31, 21, 59, 59, tzinfo=UTC)),
    (AWARE, "2026-01-31 23:59", datetime(2026, 1, 31, 23, 59, tzinfo=UTC)),
    (AWARE, "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    (AWARE, "2026-01-31T00:00:00.1234567Z", datetime(2026, 1, 31, 0, 0, 0, 123456, tzinfo=UTC)),
    (NAIVE, "2026-01-31T23:59:59+02:00", datetime(2026, 1, 31, 21, 59, 59)),
    (Date(), "2024-02-29", date(2024, 2, 29)),
    (Time(), "23:59", time(23, 59)),
    (Time(timezone=True), "23:59:59", time(23, 59, 59, tzinfo=UTC)),
    (Interval(), "P1DT2H", timedelta(days=1, hours=2)),
    (Uuid(), str(KEY), KEY),
    (Uuid(), KEY.hex.upper(), KEY),
    (Uuid(as_uuid=False), KEY.hex, str(KEY)),
    (Enum(Colour), "r", Colour.RED),
    (Enum(Level), "2", Level.HIGH),
    (Enum("small", "large"), "large", "large"),
]


@pytest.mark.parametrize(("type_", "text", "value"), GOOD)
def test_text_becomes_the_columns_python_value(
    type_: TypeEngine[Any], text: str, value: Any
) -> None:
    found = parsed(type_, text)

    assert (found, type(found)) == (value, type(value))


BAD: list[tuple[TypeEngine[Any], str, str]] = [
    (Boolean(), "yes", "Use true or false"),
    (Boolean(), "True", "Use true or false"),
    (Integer(), "", "not a whole number"),
    (Integer(), "1.0", "not a whole number"),
    (Integer(), "1_000", "not a whole number"),
    (Integer(), "٣", "not a whole number"),
    (Integer(), " 1", "not a whole number"),
    (Integer(), str(2**63), "64-bit"),
    (Integer(), "9" * 5000, "64-bit"),
    (Float(), "NaN", "finite"),
    (Float(), "1e999", "finite"),
    (Float(), "1" * 1001, "finite"),
    (Numeric(), "Infinity", "not a decimal"),
    (Numeric(), "1" * 1001, "not a decimal"),
    (Numeric(), "1e99999", "not a decimal"),
    (String(), "a\0b", "NUL"),
    (String(), "\ud800", "Unicode"),
    (LargeBinary(), "AP8", "base64"),
    (LargeBinary(), "é", "base64"),
    (AWARE, "2026-02-30T00:00:00Z", "date and time such as"),
    (AWARE, "20260131", "date and time such as"),
    (AWARE, "2026-W05", "date and time such as"),
    (AWARE, "0001-01-01T00:00:00+14:00", "date and time such as"),
    (Date(), "2026-01-31T00:00:00Z", "date such as"),
    (Date(), "2026-13-01", "date such as"),
    (Time(), "24:00", "time such as"),
    (Time(), "23:59:59Z", "time such as"),
    (Time(timezone=True), "noon", "time such as"),
    (Interval(), "P1M", "months have no fixed length"),
    (Interval(), "3 days", "duration such as"),
    (Uuid(), "0190163d8694-739baea5966c26f8ad91", "not a UUID"),
    (Uuid(), "x" * 32, "not a UUID"),
    (Enum(Colour), "RED", "one of: r, b"),
    (Enum("small", "large"), "huge", "one of: small, large"),
    (JSON(), "{}", "isnull"),
]


@pytest.mark.parametrize(("type_", "text", "sentence"), BAD)
def test_other_text_is_refused_with_what_was_expected(
    type_: TypeEngine[Any], text: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as raised:
        parsed(type_, text)

    assert len(str(raised.value)) < 200


@given(st.sampled_from([type_ for type_, _, _ in GOOD]), st.text(max_size=50))
def test_any_text_is_read_or_refused(type_: TypeEngine[Any], text: str) -> None:
    try:
        parsed(type_, text)
    except ValueError as exc:
        assert str(exc).endswith(".")
