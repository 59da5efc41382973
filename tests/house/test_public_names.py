"""The public names: few, real, and each with its place in the reference."""

import re
from pathlib import Path

import tilth

MOST_NAMES = 30


def test_public_names_are_those_of_the_reference(root: Path) -> None:
    page = (root / "docs/reference/public.md").read_text(encoding="utf-8")

    documented = re.findall(r"^## `(\w+)", page, re.MULTILINE)

    assert sorted(documented) == sorted(tilth.__all__)


def test_public_names_exist_and_are_few() -> None:
    assert all(hasattr(tilth, name) for name in tilth.__all__)
    assert len(tilth.__all__) <= MOST_NAMES
