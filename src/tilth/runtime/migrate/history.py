"""The revision files of a project, in order; what is wrong with them is told with file and remedy."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alembic.script import Script, ScriptDirectory

from tilth.errors import Finding, SetupError
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.codes import HistoryCode, finding_of
from tilth.runtime.migrate.project import Project


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """scripts: oldest first. heads: those that nothing follows."""

    directory: ScriptDirectory
    scripts: tuple[Script, ...]
    heads: tuple[str, ...]

    def script(self, revision: str) -> Script | None:
        return next((each for each in self.scripts if each.revision == revision), None)


@dataclass(frozen=True, slots=True)
class Written:
    """What a revision file says of itself, read without running it."""

    path: Path
    revision: str
    parents: tuple[str, ...]


def read_history(project: Project) -> History:
    """Raises SetupError when the files do not make a history. Several heads are one."""
    directory = project.script()
    findings = list(broken(written_in(directory)))
    if findings:
        raise SetupError(*findings)
    scripts = tuple(reversed(list(directory.walk_revisions())))
    return History(directory, scripts, tuple(directory.get_heads()))


def several_heads(history: History) -> Finding | None:
    """For commands that need to know which one is meant."""
    if len(history.heads) < 2:
        return None
    files = [Path(str(history.directory.get_revision(head).path)).name for head in history.heads]
    return finding_of(
        "several_heads",
        "migrations",
        f"two branches end in {sentence_list(files)}: which comes last is not known.",
        "If yours is not applied elsewhere: tilth migrate rebase. Else: tilth migrate merge.",
    )


def written_in(directory: ScriptDirectory) -> list[Written]:
    files = (
        path for place in directory._version_locations for path in sorted(place.glob("**/*.py"))
    )
    found = (written(path) for path in files if "__pycache__" not in path.parts)
    return [each for each in found if each is not None]


def written(path: Path) -> Written | None:
    """None for a Python file that is no revision. Raises SetupError when it is not Python."""
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except SyntaxError as exc:
        raise SetupError(
            _finding("broken_file", path, f"is not Python: {exc.msg}.", "Correct it.", exc.lineno)
        ) from exc
    values: dict[str, object] = {}
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and value is not None:
            try:
                values[target.id] = ast.literal_eval(value)
            except ValueError:
                continue
    revision = values.get("revision")
    if not isinstance(revision, str):
        return None
    return Written(path, revision, tuple(_names(values.get("down_revision"))))


def _names(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list | set):
        yield from (each for each in value if isinstance(each, str))


def broken(revisions: Sequence[Written]) -> Iterator[Finding]:
    """Two files of one name, parents that are not there, circles."""
    by_name: defaultdict[str, list[Written]] = defaultdict(list)
    for each in revisions:
        by_name[each.revision].append(each)
    for name, several in by_name.items():
        if len(several) > 1:
            others = sentence_list(each.path.name for each in several[1:])
            yield _finding(
                "duplicate",
                several[0].path,
                f"is revision {name}, and so is {others}.",
                "Delete the copy, or give it a revision of its own.",
            )
    missing = [
        (each, parent)
        for each in revisions
        for parent in each.parents
        if not _is_there(parent, by_name)
    ]
    for each, parent in missing:
        yield _finding(
            "missing",
            each.path,
            f"follows revision {parent}, which no file has.",
            f"Bring the file of {parent} back (git log --all -- '*{parent}*'), or correct "
            "down_revision.",
        )
    if not missing:
        yield from _circles({each.revision: each for each in revisions})


def _is_there(parent: str, by_name: Mapping[str, object]) -> bool:
    # Alembic also takes the beginning of a name.
    return parent in by_name or any(name.startswith(parent) for name in by_name)


def _circles(by_name: Mapping[str, Written]) -> Iterator[Finding]:
    waiting = dict(by_name)
    while ready := [n for n, each in waiting.items() if not set(each.parents) & waiting.keys()]:
        for name in ready:
            del waiting[name]
    circle = _only_circle(waiting)
    if circle:
        files = sentence_list(waiting[name].path.name for name in circle)
        yield _finding(
            "cycle",
            waiting[circle[0]].path,
            f"follows itself: {files} go round in a circle.",
            "Correct down_revision in the one that was written first.",
        )


def _only_circle(waiting: Mapping[str, Written]) -> list[str]:
    """Without what merely follows the circle."""
    if not waiting:
        return []
    name, seen = next(iter(waiting)), list[str]()
    while name not in seen:
        seen.append(name)
        name = next(parent for parent in waiting[name].parents if parent in waiting)
    return seen[seen.index(name) :]


def ancestors(scripts: Iterable[Script], heads: Iterable[str]) -> set[str]:
    """The heads and everything that comes before them."""
    parents = {each.revision: each._all_down_revisions for each in scripts}
    found: set[str] = set()
    waiting = list(heads)
    while waiting:
        name = waiting.pop()
        if name in parents and name not in found:
            found.add(name)
            waiting += parents[name]
    return found


def _finding(
    code: HistoryCode, path: Path, reason: str, remedy: str, line: int | None = 1
) -> Finding:
    return finding_of(code, path.name, reason, remedy, where=f"{path}:{line}")
