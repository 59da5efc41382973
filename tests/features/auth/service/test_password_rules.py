"""Passwords that everybody tries are refused with a sentence that helps; all others are accepted."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilth.features.auth.service.passwords.blocklist import Blocklist, folded, write_blocklist
from tilth.features.auth.service.passwords.rules import Rules, password_faults

RULES = Rules(blocklist=Blocklist())
SHORT = Rules(shortest=8, blocklist=Blocklist())
CONTEXT = ("ada.lovelace@example.org", "countess", "Tilth")


def codes(password: str, rules: Rules = RULES, *, has_factor: bool = False) -> list[str]:
    found = password_faults(password, rules, context=CONTEXT, has_second_factor=has_factor)
    return [fault.code for fault in found]


@pytest.mark.parametrize(
    ("password", "has_factor", "expected"),
    [
        *(("fourteen chars", False, ["password_too_short"]), ("fifteen chars!!", False, [])),
        *(("seven c", True, ["password_too_short"]), ("eight ch", True, [])),
        *(
            ("🦀🦞🦐🦑🐙🐚🐠🐡🦈🐳🐋🐬🦭🐟🪼", False, []),
            ("e\u0301" * 14, False, ["password_too_short"]),
        ),
        *(("ab cd" * 2, False, ["password_too_short"]), ("", True, ["password_too_short"])),
    ],
)
def test_length_is_counted_in_characters(
    password: str, has_factor: bool, expected: list[str]
) -> None:
    assert codes(password, has_factor=has_factor) == expected


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1024, []), (1025, ["password_too_long"]), (2**20, ["password_too_long"])],
)
def test_20_the_greatest_length_is_a_thousand_and_more_is_not_cut(
    length: int, expected: list[str]
) -> None:
    rules = Rules()

    assert codes("x" * length, rules) == expected


def test_a_fault_says_where_and_what_to_do() -> None:
    fault = password_faults("Qwerty123", Rules(), pointer="/new_password")[0]

    assert fault.pointer == "/new_password"
    assert fault.detail == "Use at least 15 characters; this has 9. Several words are easy to keep."


@pytest.mark.parametrize(
    "password",
    [
        *(
            "password",
            "PASSWORD",
            "P@$$w0rd",
            "Password2026!!",
            "qwertyuiop",
            "1q2w3e4r5t",
            "letmein!!",
        ),
        *(
            "qwertyuiopasdfgh",
            "1qaz2wsx3edc4rfv",
            "thisismypassword",
            "passwordpassword1",
            "iloveyou12345",
        ),
    ],
)
def test_35_common_passwords_are_refused(password: str) -> None:
    assert codes(password, SHORT) == ["password_common"]


@pytest.mark.parametrize(
    "password",
    ["aaaaaaaa", "abcabcabcabc", "12345678", "abcdefghij", "0987654321", "hunter2hunter2"],
)
def test_35_repeats_and_rows_are_refused(password: str) -> None:
    assert codes(password, SHORT) == ["password_predictable"]


@pytest.mark.parametrize(
    "password",
    [
        *("ada.lovelace", "Ada.Lovelace1815", "ADA.L0VELACE!", "countess1815", "Tilth-Tilth-26"),
        *("ada.lovelace@example.org", "tilthcountess1", "c0unte$$1815"),
    ],
)
def test_35_names_of_the_account_and_the_service_are_refused(password: str) -> None:
    assert codes(password, SHORT) == ["password_personal"]


@pytest.mark.parametrize(
    "password",
    [
        *(
            "correct horse battery staple",
            "xK9#mQ2$vL7@pR4!",
            "monkey83749201748",
            "Tilth feeds my goats",
        ),
        *("three blind otters sing", "пять весёлых ежей", "山の上の小さな赤い家で猫と暮らす"),
    ],
)
def test_good_passwords_are_accepted(password: str) -> None:
    assert codes(password) == []


def test_without_a_blocklist_only_length_counts() -> None:
    relaxed = Rules(shortest=8)

    assert codes("Qwerty123", relaxed) == []
    assert codes("ada.lovelace", relaxed) == []


@given(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32))
def test_random_passwords_are_hardly_ever_refused(password: str) -> None:
    assert len(set(password)) < 6 or codes(password) == []


def test_the_shipped_list_has_the_most_used_of_either_length() -> None:
    blocklist = Blocklist()

    assert len(blocklist) > 80_000
    assert all(word in blocklist for word in ("123456789012345", "q1w2e3r4t5y6u7i8", "1234567890"))


@pytest.mark.parametrize("chunk", range(5))
def test_words_that_nobody_uses_are_not_in_it(chunk: int) -> None:
    blocklist = Blocklist()

    assert not [n for n in range(4000) if f"nobody has {chunk * 4000 + n} of these" in blocklist]


@given(
    words=st.sets(st.text(min_size=4, max_size=12).filter(lambda w: max(w) < "\ud800"), max_size=40)
)
def test_a_list_has_what_was_written_to_it(
    words: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lists") / "list.bin"
    count = write_blocklist(path, {*words, "always", "abc"})

    blocklist = Blocklist(path)

    assert len(blocklist) == count == len({folded(word) for word in (*words, "always")})
    assert all(word in blocklist for word in words)
    assert "abc" not in blocklist
    assert "never in any list" not in blocklist


@pytest.mark.parametrize("content", [b"x", b"password\nqwerty\n", b"tilthbl1abc", b"tilthbl2abcde"])
def test_another_file_is_no_blocklist(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=r"words\.txt is not a blocklist"):
        Blocklist(path)
