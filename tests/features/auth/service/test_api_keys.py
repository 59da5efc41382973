"""An API key is recognised, checked without a database, and stored as what cannot be turned back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.errors import BadCredential
from tilth.features.auth.service.keys import (
    ALPHABET,
    KEY_PATTERN,
    looks_like_key,
    new_key,
    presented_key,
)
from tilth.kit.secrets import token_digest


def test_a_key_is_read_back_as_it_was_made() -> None:
    key = new_key("shop_live")

    presented = presented_key(key.text)

    assert presented.prefix == "shop_live"
    assert (presented.lookup, presented.digest) == (key.lookup, key.digest)
    assert key.digest == token_digest(key.text)


def test_neither_repr_nor_what_lists_show_has_the_secret() -> None:
    key = new_key()
    secret = key.text.split("_")[2]

    assert len(secret) == 43
    assert secret not in repr(key) + key.shown + repr(presented_key(key.text))


@given(st.integers(0, 60), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_told_from_a_revoked_key(at: int, other: str) -> None:
    text = new_key().text
    at = at % len(text)
    mistyped = text[:at] + other + text[at + 1 :]
    if mistyped == text:
        return

    with pytest.raises(BadCredential) as raised:
        presented_key(mistyped)

    assert raised.value.reason in {"mistyped", "not_a_key"}
    assert mistyped not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tilth",
        "tilth_a_b_c",
        "eyJhbGciOiJIUzI1NiJ9.e30.abc",
        "x" * 10_000,
        "tilth_\x00",
        "Ｔilth_",
    ],
)
def test_other_text_is_no_key(text: str) -> None:
    with pytest.raises(BadCredential) as raised:
        presented_key(text)

    assert raised.value.reason == "not_a_key"
    assert not looks_like_key(text)


def test_a_key_with_a_line_end_is_no_key() -> None:
    assert not looks_like_key(new_key().text + "\n")


def test_scanners_find_keys_in_text() -> None:
    one, other = new_key("shop").text, new_key("shop_live").text

    found = re.findall(KEY_PATTERN, f'export KEY="{one}" # and {other}.')

    assert found == [one, other]


@pytest.mark.parametrize("prefix", ["", "S", "Shop", "shop_", "shop_live_eu", "a" * 17, "1shop"])
def test_a_prefix_that_scanners_would_miss_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix of API keys"):
        new_key(prefix)
