"""Conditions as clients send them: entity tags, and what is none (RFC 9110 §8.8.3 and §13.1)."""

import pytest

from tilth.errors import BadRequest
from tilth.features.api.service.etags import row_parts

READ: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "any": (["*"], ("*",)),
    "one": (['"a"'], ("a",)),
    "of a part of the fields": (['"a.b"'], ("a",)),
    "a list": (['"a", "b"'], ("a", "b")),
    "several headers": (['"a"', '"b"'], ("a", "b")),
    "empty members": ([', "a",, "b" ,'], ("a", "b")),
    "a comma in a tag": (['"a,b"'], ("a,b",)),
    "a weak one names no version": (['W/"a"'], ()),
    "weak and strong": (['W/"a", "b"'], ("b",)),
    "an empty tag": (['""'], ("",)),
}


@pytest.mark.parametrize("case", READ)
def test_conditions_are_lists_of_tags(case: str) -> None:
    sent, parts = READ[case]

    assert row_parts("If-Match", sent) == parts


MALFORMED = [
    *(
        "",
        " ",
        ",",
        "a",
        '"a',
        'a"',
        '"a" "b"',
        '"a";"b"',
        "'a'",
        'w/"a"',
        "W/a",
        '*, "a"',
        '"a", *',
    ),
    *('"a\x00"', '"a b"', '"a"' * 3, '" , ' * 5000, ", " * 5000 + "a"),
]


@pytest.mark.parametrize("sent", MALFORMED, ids=lambda text: repr(text)[:20])
def test_what_is_no_list_of_tags_is_refused(sent: str) -> None:
    with pytest.raises(BadRequest, match="If-Match is"):
        row_parts("If-Match", [sent])
