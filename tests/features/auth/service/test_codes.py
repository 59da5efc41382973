"""Codes are long enough, forgive how people write them, and are worth nothing elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.features.auth.service.codes import (
    ALPHABET,
    BITS_PER_CHARACTER,
    code_digest,
    new_mailed_code,
    new_recovery_codes,
    normal_code,
)

KEY = bytes(range(32))


def test_recovery_codes_have_at_least_112_bits_each() -> None:
    codes = new_recovery_codes()

    assert len(set(codes)) == 10
    assert {len(code.split("-")) for code in codes} == {6}
    assert all(BITS_PER_CHARACTER * len(normal_code(code)) >= 112 for code in codes)


def test_a_mailed_code_has_two_groups_of_four() -> None:
    first, second = new_mailed_code().split("-")

    assert len(first) == len(second) == 4
    assert set(first + second) <= set(ALPHABET)


@pytest.mark.parametrize(
    "typed", ["7Q2M-K9XR", "7q2m-k9xr", " 7q2m k9xr ", "7Q2MK9XR", "7Q2M–K9XR", "7 Q 2 M K 9 X R"]
)
def test_how_a_code_is_written_does_not_matter(typed: str) -> None:
    assert code_digest(KEY, "reset", typed) == code_digest(KEY, "reset", "7Q2M-K9XR")


def test_letters_that_are_misread_are_the_digits_they_look_like() -> None:
    assert normal_code("oOiIlL") == "001111"


@pytest.mark.parametrize(
    "typed", ["7Q2M-K9XS", "", "7Q2M", "7Q2M-K9XRR", "7Q2M-K9XR" * 100, "\ud800"]
)
def test_another_code_has_another_digest(typed: str) -> None:
    assert code_digest(KEY, "reset", typed) != code_digest(KEY, "reset", "7Q2M-K9XR")


def test_a_code_is_for_one_purpose_and_one_application() -> None:
    code = new_mailed_code()

    digests = {
        code_digest(KEY, "reset of 1", code),
        code_digest(KEY, "reset of 2", code),
        code_digest(bytes(32), "reset of 1", code),
    }

    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {32}


@given(st.text(max_size=80))
def test_every_text_has_a_digest(typed: str) -> None:
    assert code_digest(KEY, "reset", typed) == code_digest(KEY, "reset", normal_code(typed))
