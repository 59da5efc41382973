"""up and down as they are asked for: which revisions, what is looked at before, and what is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from alembic.runtime.migration import RevisionStep
from alembic.script import Script
from sqlalchemy import Engine

from tilth.errors import CommandError, Finding, SetupError
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.checksums import edited, read_checksums, write_checksums
from tilth.runtime.migrate.codes import finding_of
from tilth.runtime.migrate.databases import migration_engine
from tilth.runtime.migrate.history import History
from tilth.runtime.migrate.log import read_log
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.revisions import irreversible_findings, is_destructive
from tilth.runtime.migrate.run import (
    Applied,
    Run,
    make_steps,
    name_of,
    phase_of,
    steps_down,
    steps_up,
)
from tilth.runtime.migrate.safety.guard import Guard
from tilth.runtime.migrate.sqlite.backup import back_up


def applied_up(
    project: Project,
    history: History,
    target: str,
    *,
    say: Callable[[str], None],
    warn: Callable[[Finding], None],
    assured: str | None = None,
    with_contract: bool = False,
) -> list[Applied]:
    """Raises SetupError for what is refused; what was applied before it stays."""
    engine = migration_engine(project.url, project.settings.lock_seconds)
    guard = Guard(warn, assured)
    run = Run(
        project,
        history,
        engine,
        watch=guard.watch,
        say=say,
        before=lambda steps: _before(project, engine, steps, say),
        each=guard.begin,
    )

    waiting: set[str] = set()

    def find(heads: Sequence[str]) -> list[RevisionStep]:
        steps = steps_up(run, heads, target)
        now = steps if with_contract else _before_contract(project, steps)
        waiting.update(name_of(each.revision) for each in steps[len(now) :])
        return now

    try:
        _require_unedited(project, history, engine)
        made = make_steps(run, find)
    finally:
        engine.dispose()
    if waiting:
        say(
            f"{sentence_list(sorted(waiting))}: after the new code runs, tilth migrate up --contract."
        )
    return made


def applied_down(
    project: Project,
    history: History,
    target: str,
    *,
    say: Callable[[str], None],
    warn: Callable[[Finding], None],
    assured: str | None = None,
) -> list[Applied]:
    """Raises SetupError for a revision whose downgrade does nothing or loses values."""
    engine = migration_engine(project.url, project.settings.lock_seconds)
    guard = Guard(warn, assured)
    run = Run(
        project,
        history,
        engine,
        watch=guard.watch,
        say=say,
        before=lambda steps: _before(project, engine, steps, say),
        each=guard.begin,
    )

    def find(heads: Sequence[str]) -> list[RevisionStep]:
        steps = steps_down(run, heads, target) if heads else []
        findings = [each for step in steps for each in irreversible_findings(step.revision)]
        if findings and assured is None:
            raise SetupError(*findings)
        return steps

    try:
        return make_steps(run, find)
    finally:
        engine.dispose()


def _before_contract(project: Project, steps: list[RevisionStep]) -> list[RevisionStep]:
    """In production what old code still uses goes in a run of its own, after the deployment."""
    if not project.is_production:
        return steps
    phases = [phase_of(step.revision) for step in steps]
    first = phases.index("contract") if "contract" in phases else len(steps)
    if 0 < first < len(steps):
        return steps[:first]
    if first == 0 and steps:
        name = name_of(steps[0].revision)
        raise CommandError(
            f"{name} drops what code that runs now may use.",
            "When the new code runs everywhere: tilth migrate up --contract.",
        )
    return steps


def _before(
    project: Project, engine: Engine, steps: Sequence[RevisionStep], say: Callable[[str], None]
) -> None:
    """A copy of the file, before anything in it may be lost."""
    if engine.dialect.name == "sqlite" and any(is_destructive(step) for step in steps):
        copy = back_up(engine, project.url, name_of(steps[0].revision))
        if copy is not None:
            say(f"Copied to {copy}.")


def _require_unedited(project: Project, history: History, engine: Engine) -> None:
    """What is applied is as it was. Raises SetupError with every file that is not."""
    with engine.connect() as connection:
        applied = {each.revision: each.checksum for each in read_log(connection).values()}
    changed = edited(applied, history.scripts)
    if changed:
        raise SetupError(*map(edited_finding, changed))
    recorded = read_checksums(project.checksums)
    pending = [each for each in edited(recorded, history.scripts) if each.revision not in applied]
    if pending and project.is_production:
        raise SetupError(*map(edited_finding, pending))
    if recorded and not project.is_production:
        write_checksums(project.checksums, history.scripts)


def edited_finding(script: Script) -> Finding:
    path = Path(script.path)
    return finding_of(
        "edited",
        path.name,
        "was changed after it was applied, or after its checksum was written.",
        f"Bring it back (git checkout -- {path.name}) and write a new revision; if it is applied "
        "nowhere: tilth migrate check --seal.",
        where=f"{path}:1",
    )
