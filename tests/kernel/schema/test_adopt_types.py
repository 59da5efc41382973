"""What SQLite columns declare and hold → the type they are read as."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from tilth.kernel.schema.adoption.moments import Spelling, spelled
from tilth.kernel.schema.adoption.storage import declared_type, fitting_type, sample_of


@pytest.mark.parametrize(
    ("declaration", "type_"),
    [
        ("NVARCHAR(160)", "String(length=160)"),
        ("INTEGER UNSIGNED", "Integer()"),
        ("DOUBLE PRECISION", "Float()"),
        ("BOOL", "Boolean()"),
        ("MONEY", "Numeric()"),
        ("decimal(10, 2)", "Numeric(precision=10, scale=2)"),
        ("TIMESTAMP WITH TIME ZONE", "DateTime()"),
        ("VARBINARY(16)", "LargeBinary()"),
        ("BIT", "NullType()"),
        ("", "NullType()"),
        ("(", "NullType()"),
    ],
)
def test_declarations_are_understood_as_sqlite_does(declaration: str, type_: str) -> None:
    assert repr(declared_type(declaration)) == type_


@pytest.mark.parametrize(
    ("declaration", "values", "type_"),
    [
        ("INTEGER", (1, None, -5), "BigInteger()"),
        ("INTEGER", (1, "twelve"), "MixedText()"),
        ("INTEGER", (1, 1.5), "Float()"),
        ("BOOLEAN", (0, 1), "Boolean()"),
        ("BOOLEAN", ("t", "f"), "Text()"),
        ("BOOLEAN", (0, 2), "BigInteger()"),
        ("DECIMAL(10,2)", (1, 0.99), "Numeric(precision=10, scale=2)"),
        ("DECIMAL(10,2)", (1.999,), "Numeric()"),
        ("DECIMAL(10,2)", ("free", 1), "MixedText()"),
        ("VARCHAR(3)", ("abc",), "String(length=3)"),
        ("VARCHAR(3)", ("longer",), "Text()"),
        ("TEXT", ("1", "2"), "Text()"),
        ("BLOB", ("text",), "Text()"),
        ("BLOB", (b"", "text"), "LargeBinary()"),
        ("", (1, 2), "BigInteger()"),
        ("", (), "NullType()"),
        ("BIT", (0, 1), "BigInteger()"),
        ("JSON", ('{"a": 1}', 5), "JSON()"),
        ("DATETIME", ("2026-01-31 10:00:00", "2026-01-31 10:00:00.5"), "DateTime()"),
        ("DATETIME", ("2026-01-31 10:00:00", "2026-01-31"), "DateTime()"),
        ("DATETIME", ("2026-01-31",), "Date()"),
        ("DATETIME", (1769853600,), "BigInteger()"),
        ("DATETIME", ("2026-01-31 10:00:00", 1769853600), "MixedText()"),
        ("DATETIME", ("2026-01-31 10:00:00+02:00",), "Text()"),
        ("DATETIME", ("0000-00-00 00:00:00",), "Text()"),
        ("DATE", ("2026-01-31",), "Date()"),
        ("DATE", ("2026-01-31 00:00:00",), "DateTime()"),
        ("DATE", ("31.1.2026",), "Text()"),
        ("TIME", ("10:00:00", "10:00:00.25"), "Time()"),
        ("TIME", ("noon",), "Text()"),
    ],
)
def test_type_fits_what_is_stored(declaration: str, values: tuple[Any, ...], type_: str) -> None:
    assert repr(fitting_type(declared_type(declaration), sample_of(values))) == type_


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T10:00:00", datetime(2026, 1, 31, 10)),
        ("2026-01-31T10:00:00Z", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2026-01-31 10:00:00.250+00:00", datetime(2026, 1, 31, 10, 0, 0, 250_000)),
        ("2026-01-31 10:00", datetime(2026, 1, 31, 10)),
    ],
)
def test_moments_are_compared_as_they_are_spelled(text: str, moment: datetime) -> None:
    type_ = fitting_type(declared_type("DATETIME"), sample_of([text]))
    bind = type_.dialect_impl(sqlite.dialect()).bind_processor(sqlite.dialect())

    assert bind is not None
    assert bind(moment) == text


SPELLINGS = [
    Spelling("T", seconds=True, digits=0, zone="Z"),
    Spelling("T", seconds=True, digits=3, zone="Z"),
    Spelling("T", seconds=True, digits=6, zone="", trimmed=True),
    Spelling(" ", seconds=False, digits=0, zone=""),
]
MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1))


@given(st.sampled_from(SPELLINGS), MOMENTS, st.integers(-2_000_000, 2_000_000))
def test_spelled_moments_sort_by_time(
    spelling: Spelling, moment: datetime, microseconds: int
) -> None:
    """Those that a column holds, against any that a request may ask for."""
    step = 60_000_000 if not spelling.seconds else 10 ** (6 - spelling.digits)
    stored = moment - timedelta(microseconds=_past_minute(moment) % step)
    asked = stored + timedelta(microseconds=microseconds)
    texts = spelled(stored, spelling), spelled(asked, spelling)

    assert (texts[0] < texts[1]) == (stored < asked)
    assert (texts[0] == texts[1]) == (stored == asked)


def _past_minute(moment: datetime) -> int:
    return moment.second * 1_000_000 + moment.microsecond
