"""What the house rules are about: the files of this repository."""

import ast
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class File:
    """One text file. path: from the root of the repository, with slashes."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file, parsed."""

    path: str
    tree: ast.Module


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> Sequence[File]:
    """Every text file that git keeps, but for what was vendored from other projects."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [
        path
        for path in listed.stdout.split("\0")
        if path and "/swagger-ui/" not in path and not path.endswith(".bin")
    ]
    return [
        File(path, (ROOT / path).read_text(encoding="utf-8"))
        for path in paths
        if (ROOT / path).is_file()
    ]


@pytest.fixture(scope="session")
def modules(tracked: Sequence[File]) -> Sequence[Module]:
    """Every Python file that git keeps."""
    return [Module(f.path, ast.parse(f.text)) for f in tracked if f.path.endswith(".py")]
