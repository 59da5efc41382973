"""What was probably meant, and lists inside sentences."""

import pytest

from tilth.kit.text import sentence_list, suggest

FIELDS = ("title", "author", "body", "Name", "id")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("titel", "title"),
        ("auther", "author"),
        ("bodyy", "body"),
        ("name", "Name"),
        ("NAMES", "Name"),
        ("price", None),
        ("x", None),
        ("", None),
        ("title" * 100_000, None),
    ],
)
def test_only_a_close_name_is_suggested(written: str, meant: str | None) -> None:
    assert suggest(written, FIELDS) == meant


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "none"),
        (["a"], "a"),
        (["b", "a"], "b and a"),
        (["a", "b", "c"], "a, b and c"),
    ],
)
def test_names_keep_their_order_in_a_sentence(names: list[str], sentence: str) -> None:
    assert sentence_list(names) == sentence


def test_a_long_list_is_cut() -> None:
    sentence = sentence_list(f"f{number}" for number in range(42))

    assert sentence.endswith("f28, f29 and 12 more")
