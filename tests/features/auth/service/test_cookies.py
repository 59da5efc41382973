"""Sealed text opens unaltered, in its context and in time, and in no other case."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.errors import BadCredential
from tilth.features.auth.service.cookies import MOST_CHARACTERS, Sealer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD, NEW = bytes(32), bytes([1]) * 32
SEALER = Sealer([NEW, OLD])


def seal(content: bytes = b"ada", *, sealer: Sealer = SEALER, context: str = "session") -> str:
    return sealer.seal(context, content, now=NOW, lifetime=HOUR)


def reason_for(text: str, context: str = "session", now: datetime = NOW) -> str:
    with pytest.raises(BadCredential) as raised:
        SEALER.open(context, text, now=now)
    return raised.value.reason


@given(st.binary(max_size=500), st.text(max_size=40))
def test_what_is_sealed_opens(content: bytes, context: str) -> None:
    text = seal(content, context=context)

    opened = SEALER.open(context, text, now=NOW)

    assert opened.content == content
    assert (opened.issued_at, opened.expires_at) == (NOW, NOW + HOUR)
    assert not opened.is_old_key


@given(st.integers(0), st.characters(codec="ascii"))
def test_no_altered_text_opens(at: int, other: str) -> None:
    text = seal()
    at %= len(text)
    if text[at] != other:
        assert reason_for(text[:at] + other + text[at + 1 :]) in {
            *("malformed", "unknown_key", "altered"),
        }


def test_sealed_text_says_nothing_and_never_repeats() -> None:
    assert len({seal() for _ in range(50)}) == 50
    assert "YWRh" not in seal()
    assert "ada" not in repr(SEALER.open("session", seal(), now=NOW))


@pytest.mark.parametrize(
    "text",
    ["", "a", "ab", "A" * 60, "é", seal() + "=", seal() + "\n", "A" * 5000],
    ids=["empty", "a", "ab", "short", "é", "padded", "line", "long"],
)
def test_other_text_is_malformed(text: str) -> None:
    assert reason_for(text) == "malformed"


def test_it_opens_in_its_context_only() -> None:
    assert reason_for(seal(), context="totp") == "altered"


@pytest.mark.parametrize(
    ("later", "opens"), [(timedelta(0), True), (HOUR - timedelta(seconds=1), True), (HOUR, False)]
)
def test_it_opens_in_its_time_only(later: timedelta, opens: bool) -> None:
    if opens:
        assert SEALER.open("session", seal(), now=NOW + later).content == b"ada"
    else:
        assert reason_for(seal(), now=NOW + later) == "expired"


def test_without_a_lifetime_it_opens_for_ever() -> None:
    text = SEALER.seal("totp", b"seed", now=NOW, lifetime=None)

    opened = SEALER.open("totp", text, now=NOW + timedelta(days=36500))

    assert (opened.content, opened.expires_at) == (b"seed", None)


def test_an_old_key_opens_and_says_so_a_retired_one_does_not() -> None:
    opened = SEALER.open("session", seal(sealer=Sealer([OLD])), now=NOW)

    assert opened.is_old_key
    assert reason_for(seal(sealer=Sealer([bytes([2]) * 32]))) == "unknown_key"


def test_what_no_cookie_holds_is_not_sealed() -> None:
    assert len(seal(b"x" * 2700)) <= MOST_CHARACTERS

    with pytest.raises(ValueError, match="at most 3800 fit a cookie"):
        seal(b"x" * 2900)


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, bytes(16)]])
def test_keys_of_other_sizes_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(keys)
