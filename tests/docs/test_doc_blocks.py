"""Code blocks in documents hold what they promise; CONTRIBUTING.md says how they are marked."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "changes/*.md")
    for page in ROOT.glob(pattern)
)
FENCE = re.compile(r"^```(\S*)[ ]?(\S*)[ ]*\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """line: of the first line of code. mark: what the fence says after the language."""

    page: str
    line: int
    language: str
    mark: str
    code: str


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for fence in FENCE.finditer(text):
            line = text[: fence.start(3)].count("\n") + 1
            yield Block(str(page.relative_to(ROOT)), line, fence[1], fence[2], fence[3])


def read_python(code: str) -> None:
    compile(code, "block", "exec")


READERS: Mapping[str, Callable[[str], object]] = {
    "python": read_python,
    "json": json.loads,
    "toml": tomllib.loads,
}
READ = [block for block in blocks() if block.language in READERS]
RUN = sorted({block.page for block in blocks() if block.mark == "run"})


@pytest.mark.parametrize("block", READ, ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_is_in_the_language_it_says(block: Block) -> None:
    READERS[block.language](block.code)


@pytest.mark.parametrize("page", RUN)
def test_the_blocks_of_a_page_run_as_one_program(page: str, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    program.write_text(_program(page), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("TILTH_")}

    done = subprocess.run(
        [sys.executable, "-W", "error", program.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_documents_have_blocks_to_read_and_to_run() -> None:
    assert READ
    assert RUN


def test_marks_are_those_that_mean_something() -> None:
    unknown = [f"{b.page}:{b.line}" for b in blocks() if b.mark not in {"", "run"}]
    misplaced = [f"{b.page}:{b.line}" for b in blocks() if b.mark and b.language != "python"]

    assert (unknown, misplaced) == ([], [])


def _program(page: str) -> str:
    """Its blocks, each at the lines it has on the page, so that a traceback names the place."""
    lines: list[str] = []
    for block in blocks():
        if block.page == page and block.mark == "run":
            lines += [""] * (block.line - 1 - len(lines)) + block.code.splitlines()
    return "\n".join(lines)
