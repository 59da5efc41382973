"""Cursors: open ∘ seal is the identity, and no text breaks or fools the reader."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tilth.errors import BadRequest
from tilth.kernel.plan.cursor import CursorKeys, Direction, Scalar, Signer

SIGNER = Signer(b"a secret of the tests")

any_text = st.text(st.characters(), max_size=20)
numbers = st.integers(-(2**70), 2**70) | st.floats()
scalars = st.none() | st.booleans() | numbers | any_text | st.binary(max_size=20)
keys_of_rows = st.lists(scalars, max_size=6).map(tuple)
directions = st.sampled_from(["after", "before"])

almost_cursors = st.binary(max_size=80).map(
    lambda noise: SIGNER.seal("list", "after", (1,))[:2] + noise.hex()
)


def told_apart(opened: CursorKeys) -> tuple[str, list[tuple[type, str]]]:
    """1, 1.0 and True are equal to Python, as 0.0 and -0.0 are; NaN equals nothing."""
    return opened.direction, [(type(key), repr(key)) for key in opened.keys]


@given(any_text, directions, keys_of_rows)
def test_an_opened_cursor_holds_what_was_sealed(
    binding: str, direction: Direction, keys: tuple[Scalar, ...]
) -> None:
    opened = SIGNER.open(binding, SIGNER.seal(binding, direction, keys))

    assert told_apart(opened) == told_apart(CursorKeys(direction, keys))


@given(st.text() | st.text(st.characters()) | st.text("AQ-_=aZ09") | almost_cursors)
def test_a_text_that_was_not_sealed_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        SIGNER.open("list", text)


@given(any_text, any_text, keys_of_rows)
def test_a_cursor_opens_only_for_its_own_list(
    binding: str, other: str, keys: tuple[Scalar, ...]
) -> None:
    assume(binding != other)

    with pytest.raises(BadRequest):
        SIGNER.open(other, SIGNER.seal(binding, "after", keys))


@given(keys_of_rows, st.data())
def test_a_cursor_with_one_bit_changed_is_a_bad_request(
    keys: tuple[Scalar, ...], data: st.DataObject
) -> None:
    cursor = SIGNER.seal("list", "after", keys)
    at = data.draw(st.integers(0, len(cursor) - 1))
    bit = data.draw(st.integers(0, 6))
    altered = cursor[:at] + chr(ord(cursor[at]) ^ 1 << bit) + cursor[at + 1 :]

    with pytest.raises(BadRequest):
        SIGNER.open("list", altered)
