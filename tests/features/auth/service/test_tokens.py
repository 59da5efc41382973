"""Tokens: of one kind, from one issuer, for one audience, in their time, or refused."""

import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.jws import sign
from tilth.features.auth.service.jose.keys import new_token_key
from tilth.features.auth.service.jose.ring import (
    KeyRing,
    RingKey,
    rotated,
    signing_key,
    verifying_keys,
)
from tilth.features.auth.service.jose.tokens import ACCESS_TOKEN, Expected, read_token, sign_token

KEY = new_token_key()
ISSUER = "https://shop.example"
EXPECTED = Expected(ACCESS_TOKEN, ISSUER, frozenset({"shop"}), lifetime=timedelta(minutes=15))


def claims_at(now: datetime, **changed: object) -> dict[str, object]:
    second = int(now.timestamp())
    claims = {"iss": ISSUER, "aud": "shop", "sub": "ada", "iat": second, "exp": second + 600}
    merged = {**claims, **changed}
    return {name: value for name, value in merged.items() if value is not ...}


def reason_for(content: str | dict[str, object], now: datetime, typ: str = ACCESS_TOKEN) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(BadCredential) as raised:
        read_token(sign(text.encode(), KEY, header={"typ": typ}), [KEY], EXPECTED, now=now)
    return raised.value.reason


def test_a_token_is_read_back_as_it_was_signed(now: datetime) -> None:
    claims = claims_at(now, scope="read write", jti="1", epoch=3)

    text = sign_token(claims, KEY, typ=ACCESS_TOKEN)

    assert read_token(text, [KEY], EXPECTED, now=now) == claims


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "iat", "exp"])
def test_10_a_token_without_a_claim_it_needs_is_refused(name: str, now: datetime) -> None:
    assert reason_for(claims_at(now, **{name: ...}), now) == "bad_claim"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize(
    "value", ["9999999999", None, True, -1, [], {}, 2**53, 10**30, 1e300, "NaN", ""], ids=repr
)
def test_10_times_are_numbers_of_seconds(name: str, value: object, now: datetime) -> None:
    assert reason_for(claims_at(now, **{name: value}), now) == "bad_claim"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1" * 5000])
def test_10_numbers_that_are_not_json_are_refused(number: str, now: datetime) -> None:
    text = json.dumps(claims_at(now, exp=...))[:-1] + f', "exp": {number}}}'

    assert reason_for(text, now) in {"malformed", "bad_claim"}


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [(609, None), (610, "expired"), (-10, None), (-11, "not_yet")],
)
def test_10_a_token_is_good_in_its_time_with_little_leeway(
    seconds: int, reason: str | None, now: datetime
) -> None:
    text = sign_token(claims_at(now), KEY, typ=ACCESS_TOKEN)
    moment = now + timedelta(seconds=seconds)

    if reason is None:
        assert read_token(text, [KEY], EXPECTED, now=moment)["sub"] == "ada"
    else:
        assert reason_for(claims_at(now), moment) == reason


def test_10_not_before_and_the_longest_life_are_kept(now: datetime) -> None:
    second = int(now.timestamp())

    assert reason_for(claims_at(now, nbf=second + 30), now) == "not_yet"
    assert reason_for(claims_at(now, exp=second + 901), now) == "bad_claim"
    assert reason_for(claims_at(now, iat=second + 30), now) == "not_yet"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        *(("iss", ISSUER + "/", "wrong_issuer"), ("iss", ISSUER.upper(), "wrong_issuer")),
        *(
            ("iss", "https://shop.example.evil", "wrong_issuer"),
            ("iss", "https://shop", "wrong_issuer"),
        ),
        *(("iss", "", "bad_claim"), ("iss", None, "bad_claim"), ("iss", [ISSUER], "bad_claim")),
        *(("aud", "other", "wrong_audience"), ("aud", ["shop", "other"], "wrong_audience")),
        *(("aud", "Shop", "wrong_audience"), ("aud", [], "bad_claim"), ("aud", None, "bad_claim")),
        *(
            ("aud", [1], "bad_claim"),
            ("aud", {"shop": 1}, "bad_claim"),
            ("aud", "", "wrong_audience"),
        ),
        *(("sub", "", "bad_claim"), ("sub", 1, "bad_claim"), ("sub", None, "bad_claim")),
        *(("jti", 1, "bad_claim"), ("scope", ["read"], "bad_claim")),
    ],
)
def test_11_issuer_audience_and_subject_are_exact(
    name: str, value: object, reason: str, now: datetime
) -> None:
    assert reason_for(claims_at(now, **{name: value}), now) == reason


def test_11_a_list_of_this_audience_is_fine(now: datetime) -> None:
    text = sign_token(claims_at(now, aud=["shop"]), KEY, typ=ACCESS_TOKEN)

    assert read_token(text, [KEY], EXPECTED, now=now)["aud"] == ["shop"]


@pytest.mark.parametrize(
    "typ", ["JWT", "refresh+jwt", "logout+jwt", "dpop+jwt", "", "at+jwt2", "at"]
)
def test_12_a_token_of_another_kind_is_refused(typ: str, now: datetime) -> None:
    assert reason_for(claims_at(now), now, typ=typ) == "wrong_typ"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_12_a_media_type_may_be_written_out(typ: str, now: datetime) -> None:
    text = sign_token(claims_at(now), KEY, typ=typ)

    assert read_token(text, [KEY], EXPECTED, now=now)["sub"] == "ada"


def test_12_a_token_of_no_kind_is_read_only_where_that_is_expected(now: datetime) -> None:
    text = sign(json.dumps(claims_at(now)).encode(), KEY)
    loose = Expected(None, ISSUER, frozenset({"shop"}))

    assert read_token(text, [KEY], loose, now=now)["sub"] == "ada"
    with pytest.raises(BadCredential, match="typ"):
        read_token(text, [KEY], EXPECTED, now=now)
    with pytest.raises(BadCredential, match="typ"):
        read_token(sign_token(claims_at(now), KEY, typ=ACCESS_TOKEN), [KEY], loose, now=now)


@pytest.mark.parametrize(
    "payload", ["", "foo", "[]", "{", '{"sub":"ada","sub":"eve"}', '{"sub":"\\uD800"}']
)
def test_08_payloads_that_are_no_object_of_single_members_are_refused(
    payload: str, now: datetime
) -> None:
    assert reason_for(payload, now) == "malformed"


def test_what_would_be_good_for_ever_or_too_long_is_not_signed(now: datetime) -> None:
    with pytest.raises(ValueError, match="for ever"):
        sign_token(claims_at(now, exp=...), KEY, typ=ACCESS_TOKEN)
    with pytest.raises(ValueError, match="at most 8192"):
        sign_token(claims_at(now, note="x" * 8000), KEY, typ=ACCESS_TOKEN)


@pytest.mark.parametrize("leeway", [timedelta(seconds=61), timedelta(seconds=-1)])
def test_leeway_is_bounded(leeway: timedelta) -> None:
    with pytest.raises(ValueError, match="60 seconds"):
        Expected(ACCESS_TOKEN, ISSUER, frozenset({"shop"}), leeway=leeway)


@pytest.mark.parametrize(("issuer", "audiences"), [("", {"shop"}), (ISSUER, set()), (ISSUER, {""})])
def test_a_token_from_anybody_or_for_anybody_cannot_be_expected(
    issuer: str, audiences: set[str]
) -> None:
    with pytest.raises(ValueError, match="issuer"):
        Expected(ACCESS_TOKEN, issuer, frozenset(audiences))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_value_of_a_claim_raises_anything_else(value: object) -> None:
    now = datetime.fromisoformat("2026-03-01T12:00:00+00:00")

    for name in ("exp", "iat", "nbf", "aud", "iss", "sub"):
        text = sign(
            json.dumps(claims_at(now, **{name: value})).encode(), KEY, header={"typ": "at+jwt"}
        )
        try:
            read_token(text, [KEY], EXPECTED, now=now)
        except BadCredential as error:
            assert error.reason


def test_a_successor_is_published_then_signs_then_its_predecessor_is_gone(now: datetime) -> None:
    first, second = new_token_key(kid="first"), new_token_key(kid="second")
    hour, day = timedelta(hours=1), timedelta(days=1)

    ring = rotated(KeyRing((RingKey(first, now),)), second, now + day, notice=hour, overlap=hour)

    at = [now + day + step * hour for step in range(3)]
    assert [signing_key(ring, moment).kid for moment in at] == ["first", "second", "second"]
    assert [[key.kid for key in verifying_keys(ring, moment)] for moment in at] == [
        ["first", "second"],
        ["first", "second"],
        ["second"],
    ]


def test_rotating_forgets_keys_that_are_over_and_prolongs_none(now: datetime) -> None:
    day = timedelta(days=1)
    ring = KeyRing((RingKey(new_token_key(kid="0"), now),))

    for number in range(1, 4):
        successor = new_token_key(kid=str(number))
        ring = rotated(ring, successor, now + number * 2 * day, notice=timedelta(0), overlap=day)

    assert [each.key.kid for each in ring.keys] == ["2", "3"]


def test_a_ring_with_no_key_that_may_sign_says_so(now: datetime) -> None:
    later = RingKey(new_token_key(), now + timedelta(days=1))

    with pytest.raises(LookupError, match="may sign now"):
        signing_key(KeyRing((later,)), now)
    with pytest.raises(ValueError, match="same kid"):
        KeyRing((later, later))
