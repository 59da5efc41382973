"""Applications over one world of things, on both databases at once."""

from collections.abc import Iterator

import pytest
from tests.properties.things import Served, served_on_both


@pytest.fixture(scope="module")
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Served, Served]]:
    with served_on_both(request, tmp_path_factory) as both:
        yield both
