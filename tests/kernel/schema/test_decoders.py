"""Carrier of the store → JSON value, by kind."""

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    JSON,
    Boolean,
    Date,
    DateTime,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    String,
    Time,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET
from sqlalchemy.types import TypeEngine

from tilth.kernel.schema.kinds import Kind, kind_of


def decoded(type_: TypeEngine[Any], carrier: Any) -> Any:
    kind = kind_of(type_, "postgresql")
    assert kind is not None
    return kind.decode(carrier)


MOMENT, NAIVE = DateTime(timezone=True), DateTime()

CASES: list[tuple[TypeEngine[Any], Any, Any]] = [
    (Boolean(), True, True),
    (Boolean(), 0, False),
    (Boolean(), 2, 2),
    (Boolean(), "yes", "yes"),
    (Integer(), 2**63 - 1, 2**63 - 1),
    (Integer(), "twelve", "twelve"),
    (Float(), 1, 1.0),
    (Float(), "0.1", 0.1),
    (Float(), "NaN", None),
    (Float(), math.inf, None),
    (Float(), "-Infinity", None),
    (Float(), "many", "many"),
    (Float(asdecimal=True), "1.50", "1.5"),
    (Numeric(10, 2), "0.99", "0.99"),
    (Numeric(10, 2), "12.30", "12.30"),
    (Numeric(10, 2), "12.3", "12.30"),
    (Numeric(10, 2), 12, "12.00"),
    (Numeric(10, 2), 12.345, "12.35"),
    (Numeric(10, 2), "-0.001", "0.00"),
    (Numeric(10, 2), "-0.00", "0.00"),
    (Numeric(10, 2), "1.0e+20", "100000000000000000000.00"),
    (Numeric(10, 2), "1e-300", "0.00"),
    (Numeric(40, 2), "12345678901234567890123456789012345678.9", "12345678901234567890123456789012345678.90"),
    (Numeric(10, 0), "12", "12"),
    (Numeric(10), "12.0", "12"),
    (Numeric(10, 2), "NaN", None),
    (Numeric(10, 2), math.inf, None),
    (Numeric(10, 2), "1_000", "1_000"),
    (Numeric(10, 2), b"\x01", "AQ=="),
    (Numeric(), "12.300", "12.3"),
    (Numeric(), "1200", "1200"),
    (Numeric(), "1.5e+3", "1500"),
    (Numeric(), "1e-7", "0.0000001"),
    (Numeric(), "-0.0", "0"),
    (Numeric(), "0" * 5 + "7", "7"),
    (Numeric(10, 2, asdecimal=False), "12.30", 12.3),
    (String(), "naïve \U0001f600", "naïve \U0001f600"),
    (String(), 7, 7),
    (LargeBinary(), "00FF", "AP8="),
    (LargeBinary(), "", ""),
    (LargeBinary(), "no hex", "no hex"),
    (MOMENT, "2026-01-31 23:59:59", "2026-01-31T23:59:59Z"),
    (MOMENT, "2026-01-31 23:59:59+00", "2026-01-31T23:59:59Z"),
    (MOMENT, "2026-01-31 23:59:59.5+00", "2026-01-31T23:59:59.500000Z"),
    (MOMENT, "2026-01-31 23:59:59.000000", "2026-01-31T23:59:59Z"),
    (MOMENT, "2026-01-31T23:59:59+02:00", "2026-01-31T21:59:59Z"),
    (MOMENT, "2026-01-31 23:59", "2026-01-31T23:59:00Z"),
    (MOMENT, "2026-01-31", "2026-01-31T00:00:00Z"),
    (MOMENT, "infinity", "infinity"),
    (MOMENT, "20260131", "20260131"),
    (MOMENT, "0000-00-00 00:00:00", "0000-00-00 00:00:00"),
    (MOMENT, "0001-01-01 00:00:00+14", "0001-01-01 00:00:00+14"),
    (MOMENT, 1700000000, 1700000000),
    (NAIVE, "2026-01-31 23:59:59.000001", "2026-01-31T23:59:59.000001Z"),
    (Date(), "2026-01-31", "2026-01-31"),
    (Date(), "2026-01-31 00:00:00", "2026-01-31"),
    (Date(), "2026-01-31 10:00:00", "2026-01-31 10:00:00"),
    (Date(), "0044-03-15 BC", "0044-03-15 BC"),
    (Time(), "23:59:59", "23:59:59"),
    (Time(), "23:59:59.000000", "23:59:59"),
    (Time(), "23:59:59.12", "23:59:59.120000"),
    (Time(), "late", "late"),
    (Time(timezone=True), "23:59:59+00", "23:59:59Z"),
    (Time(timezone=True), "23:59:59+02", "23:59:59+02:00"),
    (Time(timezone=True), "23:59:59", "23:59:59Z"),
    (Time(timezone=True), "23:59:59.5", "23:59:59.500000Z"),
    (Time(timezone=True), "23:59:59.5-03:30", "23:59:59.500000-03:30"),
    (Time(timezone=True), "late", "late"),
    (Interval(), "P1DT2H3M4.5S", "P1DT2H3M4.5S"),
    (Interval(), "P-1DT-2H", "-P1DT2H"),
    (Interval(), "PT36H", "P1DT12H"),
    (Interval(), "P400D", "P1Y35D"),
    (Interval(), "PT0S", "PT0S"),
    (Interval(), "P1Y2M", "P1Y2M"),
    (Interval(), "P1M", "P1M"),
    (Interval(), "1970-01-02 02:00:00.000000", "P1DT2H"),
    (Interval(), "1969-12-31 23:59:59.500000", "-PT0.5S"),
    (Interval(), "soon", "soon"),
    (Uuid(), "0190163d8694739baea5966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad91"),
    (Uuid(), "0190163d-8694-739b-aea5-966c26f8ad91", "0190163d-8694-739b-aea5-966c26f8ad91"),
    (Uuid(), "no uuid", "no uuid"),
    (Uuid(), "x" * 32, "x" * 32),
    (JSON(), '{"a":[1,null]}', {"a": [1, None]}),
    (JSON(), "null", None),
    (JSON(), '{"a":NaN,"b":[-Infinity]}', {"a": None, "b": [None]}),
    (JSON(), "not json", "not json"),
    (JSON(), "[" * 3000, "[" * 3000),
    (JSON(), "[" * 300 + "]" * 300, "[" * 300 + "]" * 300),
    (JSON(), "[" * 900 + "NaN" + "]" * 900, "[" * 900 + "NaN" + "]" * 900),
    (JSON(), "[" + "[]," * 300 + "[]]", [[]] * 301),
    (JSON(), '"\\ud800"', '"\\ud800"'),
    (JSON(), "123456789012345678901234567890", 123456789012345678901234567890.0),
    (ARRAY(Integer), '["1","2",null]', [1, 2, None]),
    (ARRAY(Integer), '[["1"],["2"]]', [[1], [2]]),
    (ARRAY(Boolean), '["t","false"]', [True, False]),
    (ARRAY(Numeric(10, 2)), '["1.5"]', ["1.50"]),
    (ARRAY(LargeBinary), '["\\\\x00ff"]', ["AP8="]),
    (ARRAY(NAIVE), '["2026-01-31 23:59:59"]', ["2026-01-31T23:59:59Z"]),
    (ARRAY(String), "{not json}", "{not json}"),
    (INET(), "10.0.0.1/8", "10.0.0.1/8"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "carrier", "value"), CASES)
def test_carrier_becomes_json(type_: TypeEngine[Any], carrier: Any, value: Any) -> None:
    found = decoded(type_, carrier)

    assert (found, type(found)) == (value, type(value))


KINDS: list[Kind] = [
    kind for kind in (kind_of(type_, "postgresql") for type_, _, _ in CASES) if kind is not None
]


@pytest.mark.parametrize("kind", {kind.name: kind for kind in KINDS}.values(), ids=lambda k: k.name)
def test_null_stays_null(kind: Kind) -> None:
    assert kind.decode(None) is None


@given(
    st.sampled_from(KINDS),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(),
        st.binary(),
        st.text(st.characters(exclude_categories=["Cs"])),
        st.from_regex(r"[-+]?[0-9]{0,5}[.eE:T Z-]?[0-9]{0,5}(NaN|inf|[+-][0-9]{2})?", fullmatch=True),
    ),
)  # fmt: skip
def test_whatever_is_stored_gets_an_answer_json_can_hold(kind: Kind, carrier: Any) -> None:
    orjson.dumps(kind.decode(carrier))
