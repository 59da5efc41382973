"""What is remembered, and what is forgotten first."""

from tilth.kit.recent import Recent


def test_what_was_used_last_is_kept() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    recent.get("a")

    recent.keep("c", 3)

    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_never_more_than_its_size() -> None:
    recent: Recent[int, int] = Recent(10)

    for number in range(100):
        recent.keep(number, number)

    assert len(recent) == 10
