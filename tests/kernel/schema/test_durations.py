from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tilth.kernel.schema.durations import duration_text, timedelta_from

SPANS = TypeAdapter(timedelta)


@given(st.timedeltas())
def test_written_as_pydantic_writes_it(span: timedelta) -> None:
    assert f'"{duration_text(span)}"'.encode() == SPANS.dump_json(span)


@given(st.timedeltas())
def test_reading_what_was_written_gives_it_back(span: timedelta) -> None:
    assert timedelta_from(duration_text(span)) == span


READ = {
    "P1DT2H3M4.5S": timedelta(days=1, hours=2, minutes=3, seconds=4.5),
    "P-1DT-2H-3M-4.5S": -timedelta(days=1, hours=2, minutes=3, seconds=4.5),
    "P1DT-2H": timedelta(days=1, hours=-2),
    "-P1D": timedelta(days=-1),
    "P2W": timedelta(weeks=2),
    "PT0S": timedelta(0),
    "PT-0.000001S": timedelta(microseconds=-1),
}


@pytest.mark.parametrize(("text", "span"), READ.items())
def test_each_part_may_have_its_own_sign(text: str, span: timedelta) -> None:
    assert timedelta_from(text) == span


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1D", "P1M", "P1.5D", "P1DT1H ", "P٣D", "P9999999999D"]
)
def test_what_has_no_fixed_length_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an ISO|months|longer"):
        timedelta_from(text)
