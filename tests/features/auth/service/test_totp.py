"""Authenticator codes are those of RFC 6238, near their time only, in ASCII digits only."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.features.auth.service.totp import (
    TotpKind,
    code_at,
    matched_step,
    new_totp_secret,
    step_at,
    totp_secret_text,
    totp_uri,
)

DIGITS = b"1234567890"
SECRET = DIGITS * 2
NOW = datetime(2026, 3, 1, 12, 0, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"),
        (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"),
        (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"),
        (20000000000, "65353130", "77737706", "47863826"),
    ],
)
def test_codes_are_those_of_rfc_6238_appendix_b(
    seconds: int, sha1: str, sha256: str, sha512: str
) -> None:
    step = step_at(datetime.fromtimestamp(seconds, UTC))

    made = (
        code_at(SECRET, step, TotpKind(8)),
        code_at((DIGITS * 4)[:32], step, TotpKind(8, algorithm="sha256")),
        code_at((DIGITS * 7)[:64], step, TotpKind(8, algorithm="sha512")),
    )

    assert made == (sha1, sha256, sha512)


@pytest.mark.parametrize(
    ("seconds_off", "is_accepted"),
    [(-75, False), (-45, True), (-30, True), (0, True), (30, True), (44, True), (45, False)],
)
def test_a_code_is_good_one_period_around_its_own(seconds_off: int, is_accepted: bool) -> None:
    code = code_at(SECRET, step_at(NOW))
    moment = NOW + timedelta(seconds=seconds_off)

    expected = step_at(NOW) if is_accepted else None

    assert matched_step(SECRET, code, moment) == expected


@pytest.mark.parametrize("altered", ["{}0", "0{}", "", "abcdef", "½", "{}\n", "-{}"])
def test_only_six_digits_are_a_code(altered: str) -> None:
    code = code_at(SECRET, step_at(NOW))

    assert matched_step(SECRET, altered.format(code), NOW) is None


def test_full_width_digits_are_no_code_and_a_space_does_not_matter() -> None:
    code = code_at(SECRET, step_at(NOW))
    wide = "".join(chr(ord(digit) - ord("0") + ord("０")) for digit in code)

    assert matched_step(SECRET, wide, NOW) is None
    assert matched_step(SECRET, f"{code[:3]} {code[3:]}", NOW) == step_at(NOW)


@given(st.binary(min_size=20, max_size=20), st.integers(0, 2**32))
def test_every_code_is_six_digits_and_matches_its_own_step(secret: bytes, step: int) -> None:
    code = code_at(secret, step)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=step * 30)

    assert len(code) == 6
    assert code.isdigit()
    matched = matched_step(secret, code, moment)
    assert matched is not None
    assert code_at(secret, matched) == code


def test_the_address_for_apps_holds_all_they_need() -> None:
    parts = urlsplit(totp_uri(SECRET, account="ada@example.org", issuer="Tea & Co"))

    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert parts.path == "/Tea%20%26%20Co%3Aada%40example.org"
    assert parse_qs(parts.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Tea & Co"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_secrets_have_160_bits() -> None:
    secrets = {new_totp_secret() for _ in range(100)}

    assert len(secrets) == 100
    assert {len(totp_secret_text(secret)) for secret in secrets} == {32}
