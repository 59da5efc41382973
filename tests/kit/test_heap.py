"""The collector is as it was before, whatever happens."""

import gc
from collections.abc import Iterator

import pytest

from tilth.kit.heap import nothing_collected


@pytest.fixture(autouse=True)
def collector_on() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def test_nothing_is_collected_inside_and_all_is_as_before() -> None:
    with nothing_collected():
        inside = gc.isenabled()

    assert (inside, gc.isenabled()) == (False, True)


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()

    with nothing_collected():
        pass

    assert not gc.isenabled()


def test_the_collector_is_back_after_a_failure() -> None:
    with pytest.raises(LookupError), nothing_collected():
        raise LookupError

    assert gc.isenabled()
