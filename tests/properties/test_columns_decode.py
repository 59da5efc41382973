"""A column decoded as a whole is what decoding it value by value gives, to the type and the sign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.kernel.schema import decoders
from tilth.kernel.schema.columns import decoded_column

DAYS = st.dates().map(str)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat(" ", "microseconds"))
SECONDS = st.datetimes().map(lambda moment: moment.isoformat(" ", "seconds"))
NEAR_MOMENTS = st.from_regex(r"\A\d{4}-[01]\d-[0-3]\d([ T]\d\d:\d\d:\d\d(\.\d+)?(\+0\d)?)?\Z")
ODD = st.one_of(
    *(st.text(max_size=40), st.binary(max_size=8), st.floats(), st.integers(), st.booleans()),
    st.sampled_from(
        [
            *("2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "0000-01-01"),
            *("2024-01-01\n2024-01-01", "2024-01-01 24:00:00", "2024-01-01 10:00:00+00"),
            *("1.5", "-0.0", "nan", "1e999", "1_0", " 1", "٣", "a" * 32, "a" * 36),
        ]
    ),
)
USUAL: dict[str, st.SearchStrategy[Any]] = {
    "stored": st.text() | st.integers(),
    "boolean": st.sampled_from([0, 1]) | st.booleans(),
    "float": st.floats(allow_nan=False) | st.just(-0.0) | st.floats().map(repr),
    "uuid": st.uuids().map(str) | st.uuids().map(lambda each: each.hex),
    "date": DAYS,
    "datetime": MOMENTS | SECONDS | SECONDS.map("{}+00".format) | NEAR_MOMENTS,
    "time": st.times().map(str),
}


def column_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    mostly = st.lists(values | st.none() | ODD, max_size=6)
    return st.lists(values, max_size=6) | st.lists(values | st.none(), max_size=6) | mostly


@pytest.mark.parametrize("kind", USUAL)
@given(data=st.data())
def test_column_is_decoded_as_its_values_are(kind: str, data: st.DataObject) -> None:
    decode: Callable[[Any], Any] = getattr(decoders, f"decode_{kind}")
    column = data.draw(column_of(USUAL[kind]))

    decoded = decoded_column(decode, column)

    # repr tells 1 from True and 0.0 from -0.0, and NaN is itself.
    assert list(map(repr, decoded)) == [repr(decode(value)) for value in column]
