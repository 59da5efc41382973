"""What every file of the repository must be, and must not contain."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pytest

MODULE_LINES = 400
DECISION_LINES = 50
# Written in two parts, so that this file does not break its own rules.
TODO_WITHOUT_ISSUE = r"\b(TO" r"DO|FIX" r"ME)\b(?! ?\(?#\d+)"
MACHINE_PATH = "(?<![A-Za-z0-9._/-])/(" + "work|root|tmp|home|Users" + ")/"
NAMELESS = r"(?:^|[/_])(?:utils?|helpers?|common|managers?|base|mixins?|handlers?)\d*(?=[._/])"
PACKAGE_INDEX = "|".join(
    f"{left}{right}"
    for left, right in (
        ("pypi", ".org/simple"),
        ("python", "hosted"),
        ("--index", "-url"),
        ("--extra-index", "-url"),
        ("--find", "-links"),
        ("--trusted", "-host"),
    )
)


class TextFile(Protocol):
    path: str
    text: str


@pytest.mark.parametrize(
    "pattern",
    [TODO_WITHOUT_ISSUE, MACHINE_PATH, PACKAGE_INDEX],
    ids=["todo without issue", "machine path", "package index"],
)
def test_no_file_contains(pattern: str, tracked: Sequence[TextFile]) -> None:
    found = [
        f"{file.path}:{number}: {line.strip()[:80]}"
        for file in tracked
        for number, line in enumerate(file.text.splitlines(), 1)
        if re.search(pattern, line)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("pattern", "line", "is_found"),
    [
        (TODO_WITHOUT_ISSUE, "# TO" + "DO later", True),
        (TODO_WITHOUT_ISSUE, "# TO" + "DO (#12): later", False),
        (MACHINE_PATH, "open('/" + "tmp/x')", True),
        (MACHINE_PATH, "docs/" + "work/x", False),
        (PACKAGE_INDEX, "--index" + "-url https://example.com", True),
        (PACKAGE_INDEX, "--no-emit-index-url", False),
    ],
)
def test_the_patterns_tell_good_from_bad(pattern: str, line: str, is_found: bool) -> None:
    assert bool(re.search(pattern, line)) is is_found


def test_no_module_is_longer_than_its_reader_has_patience(tracked: Sequence[TextFile]) -> None:
    source = [f for f in tracked if f.path.startswith("src/") and f.path.endswith(".py")]

    assert [f.path for f in source if len(f.text.splitlines()) > MODULE_LINES] == []


def test_no_module_is_named_for_nothing_in_particular(tracked: Sequence[TextFile]) -> None:
    modules = [file.path for file in tracked if file.path.endswith(".py")]

    assert [path for path in modules if re.search(NAMELESS, path)] == []


@pytest.mark.parametrize(
    ("path", "is_found"),
    [
        ("src/tilth/kit/utils.py", True),
        ("src/tilth/features/api/service/http_helpers.py", True),
        ("src/tilth/common/text.py", True),
        ("tests/session_manager.py", True),
        ("src/tilth/kernel/store/base.py", True),
        ("src/tilth/kernel/store/helpers2.py", True),
        ("src/tilth/kernel/store/drivers/sqlite.py", False),
        ("tests/house/test_databases.py", False),
    ],
)
def test_a_name_for_nothing_in_particular_is_told(path: str, is_found: bool) -> None:
    assert bool(re.search(NAMELESS, path)) is is_found


def test_every_module_says_in_one_sentence_what_it_is(tracked: Sequence[TextFile]) -> None:
    source = [f for f in tracked if f.path.startswith("src/") and f.path.endswith(".py")]

    assert [f.path for f in source if f.text and not f.text.startswith('"""')] == []


def test_decisions_are_numbered_in_order_and_short(root: Path) -> None:
    decisions = sorted(path.name for path in (root / "docs/decisions").glob("*.md"))

    numbers = [int(name.split("-")[0]) for name in decisions]
    lengths = {name: _lines(root / "docs/decisions" / name) for name in decisions}

    assert numbers == list(range(1, len(numbers) + 1))
    assert {name for name, lines in lengths.items() if lines > DECISION_LINES} == set()


def test_locked_dependencies_carry_hashes(tracked: Sequence[TextFile]) -> None:
    locks = [file for file in tracked if file.path.endswith(".lock")]

    bare = [
        line
        for lock in locks
        for line in lock.text.split("\n")
        if re.match(r"[a-z]", line) and not line.endswith("\\")
    ]

    assert locks
    assert bare == []


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
