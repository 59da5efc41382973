"""Steps → revision files, one for each group that must run apart from the others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tilth.kit.clock import now
from tilth.runtime.migrate.history import History
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.run import Phase
from tilth.runtime.migrate.writing.steps import GROUPS, Group, Step

INDENT = "    "
PHASES: dict[Group, Phase] = {"backfill": "backfill", "contract": "contract"}
PURPOSES: dict[Group, str] = {
    "values": "new values of types",
    "expand": "what is new",
    "concurrent": "indexes, without holding up writers",
    "backfill": "values for the rows that are there",
    "guard": "rules for new rows",
    "validate": "the rules hold for all rows",
    "contract": "what is no longer used",
}
OWN_NAMES = ("assured", "backfill", "irreversible", "set_table_options")
SLUG_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Draft:
    """One revision, not written yet."""

    message: str
    phase: Phase
    up: str
    down: str


def drafts(message: str, steps: Sequence[Step], *, in_one: bool) -> list[Draft]:
    """in_one: SQLite makes all of it in one transaction, without locking out anybody for long."""
    if not steps:
        return []
    if in_one:
        ranked = sorted(steps, key=lambda step: (GROUPS.index(step.group), step.rank))
        phase: Phase = "contract" if all(s.group == "contract" for s in steps) else "expand"
        return [Draft(message, phase, *_bodies(ranked))]
    groups = [group for group in GROUPS if any(step.group == group for step in steps)]
    return [
        _draft(message, group, [s for s in steps if s.group == group], number, len(groups))
        for number, group in enumerate(groups, 1)
    ]


def _draft(message: str, group: Group, steps: list[Step], number: int, total: int) -> Draft:
    ranked = sorted(steps, key=lambda step: step.rank)
    up, down = _bodies(ranked)
    if group == "concurrent":
        up, down = (_outside_transaction(body) for body in (up, down))
    part = "" if total == 1 else f" ({number} of {total}: {PURPOSES[group]})"
    return Draft(f"{message}{part}", PHASES.get(group, "expand"), up, down)


def _outside_transaction(body: str) -> str:
    if body == "pass":
        return body
    inner = "\n".join(f"{INDENT}{line}" if line else line for line in body.split("\n"))
    return f"with op.get_context().autocommit_block():\n{inner}"


def _bodies(steps: Sequence[Step]) -> tuple[str, str]:
    up = [_assured(step) for step in steps if step.up != "pass"]
    down = [step.down for step in reversed(steps) if step.down != "pass"]
    return "\n".join(up) or "pass", "\n".join(down) or "pass"


def _assured(step: Step) -> str:
    if not step.loses:
        return step.up
    lines = "\n".join(f"{INDENT}{line}" if line else line for line in step.up.split("\n"))
    return f"with assured({f'{step.loses} is lost on purpose'!r}):\n{lines}"


def write(
    project: Project, history: History, made: Sequence[Draft], imports: set[str]
) -> list[Path]:
    """Each following the one before it."""
    parent = history.heads[0] if history.heads else None
    number = len(history.scripts)
    paths = []
    for draft in made:
        number += 1
        name = name_for(draft, parent)
        path = _path(project, history, draft, name, number)
        path.write_text(file_text(draft, name, parent, imports), "utf-8")
        paths.append(path)
        parent = name
    return paths


def name_for(draft: Draft, parent: str | Sequence[str] | None) -> str:
    """The same for the same change of the same history, wherever it is written."""
    said = "\n".join((str(parent), draft.message, draft.up, draft.down))
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def _path(project: Project, history: History, draft: Draft, name: str, number: int) -> Path:
    if project.is_adopted:
        place = str(project.folder)
        return Path(history.directory._rev_path(place, name, draft.message, now()))
    slug = "_".join(re.findall(r"\w+", draft.message.lower()))
    if len(slug) > SLUG_LENGTH:
        slug = slug[:SLUG_LENGTH].rpartition("_")[0]
    return project.folder / f"{number:04}_{slug or 'change'}.py"


def file_text(
    draft: Draft,
    name: str,
    parent: str | Sequence[str] | None,
    imports: Collection[str] = (),
) -> str:
    code = f"{draft.up}\n{draft.down}"
    own = [each for each in OWN_NAMES if re.search(rf"\b{each}\(", code)]
    return "\n".join(
        [
            f'"""{_docstring(draft.message)}"""',
            "",
            *_imports(code, own, imports),
            "",
            f"revision = {name!r}",
            f"down_revision = {parent!r}",
            "branch_labels = None",
            "depends_on = None",
            f"phase = {draft.phase!r}",
            "",
            "",
            "def upgrade() -> None:",
            _indented(draft.up),
            "",
            "",
            "def downgrade() -> None:",
            _indented(draft.down),
            "",
        ]
    )


def _docstring(message: str) -> str:
    return message.replace("\\", "\\\\").replace('"""', "'''").rstrip('"')


def _imports(code: str, own: list[str], extra: Collection[str]) -> Iterator[str]:
    if re.search(r"\bsa\.", code):
        yield "import sqlalchemy as sa"
    for line in sorted(line for line in extra if line.startswith("import ")):
        if line.removeprefix("import ") in code:
            yield line
    yield "from alembic import op"
    for line in sorted(line for line in extra if line.startswith("from ")):
        if re.search(rf"\b{line.split()[-1]}\b", code):
            yield line
    if own:
        yield ""
        yield f"from tilth.migrate import {', '.join(own)}"


def _indented(body: str) -> str:
    return "\n".join(f"{INDENT}{line}" if line else line for line in body.split("\n"))
