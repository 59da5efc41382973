"""What a cursor carries, hides and refuses."""

import base64
from dataclasses import replace

import pytest

from tilth.errors import BadRequest
from tilth.kernel.plan.cursor import CursorKeys, Signer, binding_of
from tilth.kernel.plan.intent import Intent

SIGNER = Signer(b"a secret of the tests")
HEROES = Intent(
    "heroes",
    lookups=(("age__gte", "18"), ("team", "1")),
    filter="a = 1",
    q="iron",
    sort=("-age",),
)
BINDING = binding_of(HEROES)


def decoded(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))


def assert_refused(signer: Signer, binding: str, cursor: str) -> None:
    with pytest.raises(BadRequest) as caught:
        signer.open(binding, cursor)
    fault = caught.value.faults[0]
    assert (fault.pointer, fault.code) == ("?cursor", "bad_cursor")
    assert "Start again from the first page." in fault.detail


def test_a_cursor_is_short_and_fits_in_a_url() -> None:
    cursor = SIGNER.seal(BINDING, "after", ("Iron Man", 9007199254740993))

    assert len(cursor) < 80
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_the_same_place_has_the_same_cursor() -> None:
    assert SIGNER.seal(BINDING, "after", (7,)) == SIGNER.seal(BINDING, "after", (7,))


def test_a_cursor_does_not_show_its_keys() -> None:
    cursor = SIGNER.seal(BINDING, "after", ("hidden key", 7))

    assert b"hidden" not in decoded(cursor)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "AA",
        "!!!!",
        "é",
        "\ud800",
        "\0",
        "A" * 2000,
        "A" * 100_000,
        "AQ" + "A" * 40,
        "=" * 24,
    ],
)
def test_garbage_is_refused(text: str) -> None:
    assert_refused(SIGNER, BINDING, text)


def test_every_altered_character_is_noticed() -> None:
    cursor = SIGNER.seal(BINDING, "after", ("Iron Man", 7))

    for at, character in enumerate(cursor):
        for other in {"A", "B", "z", "_", "="} - {character}:
            assert_refused(SIGNER, BINDING, cursor[:at] + other + cursor[at + 1 :])


def test_a_cut_or_lengthened_cursor_is_refused() -> None:
    cursor = SIGNER.seal(BINDING, "after", ("Iron Man", 7))

    for length in range(len(cursor)):
        assert_refused(SIGNER, BINDING, cursor[:length])
    for tail in ("A", "AA", "AAAA", "=", "\n", " "):
        assert_refused(SIGNER, BINDING, cursor + tail)


def test_another_secret_does_not_open_it() -> None:
    assert_refused(Signer(b"another"), BINDING, SIGNER.seal(BINDING, "after", (7,)))


@pytest.mark.parametrize(
    "other",
    [
        replace(HEROES, resource="teams"),
        replace(HEROES, key=("1",), relation="heroes"),
        replace(HEROES, lookups=()),
        replace(HEROES, lookups=(("age__gte", "19"), ("team", "1"))),
        replace(HEROES, filter=None),
        replace(HEROES, filter="a = 2"),
        replace(HEROES, q=None),
        replace(HEROES, sort=("age",)),
        replace(HEROES, sort=("-age", "name")),
    ],
)
def test_a_cursor_of_another_list_is_refused(other: Intent) -> None:
    assert_refused(SIGNER, binding_of(other), SIGNER.seal(BINDING, "after", (7,)))


@pytest.mark.parametrize(
    "other",
    [
        replace(HEROES, limit=10),
        replace(HEROES, fields=("id",)),
        replace(HEROES, expand=("team",)),
        replace(HEROES, count="exact"),
        replace(HEROES, cursor="x"),
        replace(HEROES, lookups=HEROES.lookups[::-1]),
    ],
)
def test_pages_of_one_list_may_look_different(other: Intent) -> None:
    cursor = SIGNER.seal(BINDING, "before", (7,))

    assert SIGNER.open(binding_of(other), cursor) == CursorKeys("before", (7,))


def test_the_longest_cursor_allowed_opens_again() -> None:
    keys = ("x" * 1474,)

    cursor = SIGNER.seal(BINDING, "after", keys)

    assert len(cursor) == 2000
    assert SIGNER.open(BINDING, cursor).keys == keys


def test_a_sort_value_too_long_to_carry_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        SIGNER.seal(BINDING, "after", ("x" * 1475,))

    assert caught.value.faults[0].pointer == "?sort"
