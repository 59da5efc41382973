from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, create_engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError

from tilth.kernel.schema.kinds import kind_of
from tilth.kernel.schema.types import ExactDecimal

SQLITE = sqlite.dialect()
LONG = ExactDecimal(40, 10)
long_numbers = st.integers(-(10**40) + 1, 10**40 - 1).map(
    lambda number: Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -10))
)


def stored(number: Decimal) -> Any:
    return LONG.process_bind_param(number, SQLITE)


@given(long_numbers, long_numbers)
def test_text_on_sqlite_sorts_as_the_numbers_do(left: Decimal, right: Decimal) -> None:
    assert (stored(left) < stored(right)) == (left < right)
    assert (stored(left) == stored(right)) == (left == right)


@given(long_numbers)
def test_number_comes_back_from_sqlite_to_the_last_digit(number: Decimal) -> None:
    assert LONG.process_result_value(stored(number), SQLITE) == number


@given(long_numbers)
def test_json_shows_every_digit_with_the_declared_scale(number: Decimal) -> None:
    kind = kind_of(LONG, "sqlite")

    assert kind is not None
    assert kind.decode(stored(number)) == f"{number.copy_abs() if not number else number:.10f}"


STORED = [
    (ExactDecimal(5, 2), "12.3", "p012.30"),
    (ExactDecimal(5, 2), "-12.3", "n987.69"),
    (ExactDecimal(5, 2), "-0", "p000.00"),
    (ExactDecimal(3), "7", "p007"),
    (ExactDecimal(2, 2), "-0.5", "n9.49"),
]


@pytest.mark.parametrize(("type_", "number", "text"), STORED)
def test_stored_form_is_sign_and_padded_digits(type_: ExactDecimal, number: str, text: str) -> None:
    assert type_.process_bind_param(Decimal(number), SQLITE) == text


@pytest.mark.parametrize("number", ["1000", "0.001", "NaN", "Infinity", "-1E+3"])
def test_number_that_does_not_fit_is_refused_not_rounded(number: str) -> None:
    with pytest.raises(ValueError, match=r"does not fit|not a finite"):
        ExactDecimal(5, 2).process_bind_param(Decimal(number), SQLITE)


def test_url_text_that_does_not_fit_is_refused() -> None:
    kind = kind_of(ExactDecimal(5, 2), "postgresql")

    assert kind is not None
    with pytest.raises(ValueError, match="does not fit"):
        kind.parse("1000")


def test_whole_round_through_a_sqlite_table() -> None:
    engine = create_engine("sqlite://")
    table = Table("amount", MetaData(), Column("value", ExactDecimal(30, 5)))
    values = [Decimal("-10000000000000000000000.00001"), Decimal(-2), Decimal(0), Decimal("10.5")]

    with engine.begin() as connection:
        table.create(connection)
        connection.execute(table.insert(), [{"value": value} for value in reversed(values)])
        rows = connection.scalars(select(table.c.value).order_by(table.c.value)).all()
        large = connection.scalars(select(table.c.value).where(table.c.value >= 0)).all()

    engine.dispose()
    assert rows == values
    assert sorted(large) == values[2:]


def test_write_that_does_not_fit_names_the_limits() -> None:
    engine = create_engine("sqlite://")
    table = Table("amount", MetaData(), Column("value", ExactDecimal(4, 2)))

    with engine.begin() as connection, pytest.raises(StatementError, match="2 digits before"):
        table.create(connection)
        connection.execute(table.insert(), {"value": Decimal(100)})
    engine.dispose()


def test_postgresql_gets_a_numeric_column() -> None:
    assert ExactDecimal(30, 5).compile(postgresql.dialect()) == "NUMERIC(30, 5)"


@pytest.mark.parametrize(("precision", "scale"), [(0, 0), (2, 3), (2, -1)])
def test_impossible_precision_is_refused(precision: int, scale: int) -> None:
    with pytest.raises(ValueError, match="scale <= precision"):
        ExactDecimal(precision, scale)
