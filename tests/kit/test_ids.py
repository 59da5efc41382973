"""Version 7 UUIDs, as objects and as text."""

from time import time_ns
from uuid import RFC_4122, UUID

import pytest

from tilth.kit.ids import uuid7, uuid7_text


@pytest.mark.parametrize("new", [uuid7, lambda: UUID(uuid7_text())])
def test_an_id_is_a_version_7_uuid_of_this_moment(new):
    before = time_ns() // 1_000_000
    made = new()
    after = time_ns() // 1_000_000

    assert (made.variant, made.version) == (RFC_4122, 7)
    assert before <= made.int >> 80 <= after


def test_the_text_is_the_canonical_one():
    text = uuid7_text()

    assert str(UUID(text)) == text


def test_ids_sort_in_the_order_they_were_made():
    made = [uuid7() for _ in range(1_000)]

    assert made == sorted(made)


def test_ids_made_together_differ():
    assert len({uuid7() for _ in range(10_000)}) == 10_000
