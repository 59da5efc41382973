"""The words of `q=`: the document and the API agree on what separates them."""

import re
import sys

import pytest

from tilth.features.api.service.openapi.parameters import SEARCH_PATTERN

SPACES = [c for c in map(chr, range(sys.maxunicode + 1)) if len(f"a{c}b".split()) == 2]


@pytest.mark.parametrize("space", SPACES, ids=lambda c: f"U+{ord(c):04X}")
def test_every_character_that_separates_words_does_so_in_the_document(space: str) -> None:
    assert re.search(SEARCH_PATTERN, space.join("abcdefghij"))
    assert not re.search(SEARCH_PATTERN, space.join("abcdefghijk"))
