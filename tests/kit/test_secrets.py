"""Tokens are long, digests are what the standards say, and keys of two purposes differ."""

import pytest

from tilth.kit.secrets import (
    derived_key,
    is_same,
    keyed_digest,
    new_text,
    new_token,
    token_digest,
)


def test_a_token_has_256_bits_in_43_url_safe_characters() -> None:
    tokens = {new_token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {43}
    assert all(token.replace("-", "").replace("_", "").isalnum() for token in tokens)


def test_text_has_every_letter_of_its_alphabet_and_no_other() -> None:
    assert set(new_text("abc", 500)) == set("abc")
    assert len(new_text("abc", 500)) == 500


def test_the_digest_of_a_token_is_its_sha256() -> None:
    # FIPS 180-2 appendix B.1.
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    assert token_digest("abc").hex() == expected


def test_a_keyed_digest_depends_on_key_purpose_and_token() -> None:
    key, other = bytes(32), bytes([1]) * 32

    digests = {
        keyed_digest(key, "reset", "abc"),
        keyed_digest(other, "reset", "abc"),
        keyed_digest(key, "verify", "abc"),
        keyed_digest(key, "reset", "abd"),
        keyed_digest(key, "rese", "tabc"),
    }

    assert len(digests) == 5
    assert keyed_digest(key, "reset", "abc") in digests


def test_a_derived_key_is_the_first_block_of_hkdf() -> None:
    # RFC 5869 appendix A.3: no salt, no info.
    secret = b"\x0b" * 22

    assert derived_key(secret, "").hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    )
    assert derived_key(secret, "cookies") != derived_key(secret, "codes")


def test_a_short_secret_gives_no_key() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        derived_key("short", "cookies")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", "aa", False),
        ("\ud800", "a", False),
        (b"a", "a", True),
    ],
)
def test_sameness(one: str | bytes, other: str | bytes, expected: bool) -> None:
    assert is_same(one, other) is expected
