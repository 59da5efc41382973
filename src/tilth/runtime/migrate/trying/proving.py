"""Each revision up, down and up again with rows in it → what does not hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from alembic.runtime.migration import MigrationStep, RevisionStep
from alembic.script import Script
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from tilth.errors import CommandError, Finding, SetupError
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.checksums import edited, read_checksums
from tilth.runtime.migrate.codes import HistoryCode, Level, finding_of
from tilth.runtime.migrate.compare import changes_between
from tilth.runtime.migrate.databases import schemas_of, scratch_engine, shape_of, shape_of_models
from tilth.runtime.migrate.history import History, several_heads
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.revisions import irreversible_findings, model_imports
from tilth.runtime.migrate.run import Run, make_steps, name_of, phase_of
from tilth.runtime.migrate.shape import Shape
from tilth.runtime.migrate.trying.sample_rows import clear_tables, contents, fill_tables
from tilth.runtime.migrate.trying.unwritten import models_differ

Rows = dict[str, list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A database at one moment."""

    shape: Shape
    rows: Rows


def prove(project: Project, history: History, say: Callable[[str], None]) -> list[Finding]:
    """Everything at once. Raises CommandError only when no scratch database can be made."""
    findings = list(_of_files(project, history))
    with scratch_engine(project.url, project.settings.scratch) as engine:
        run = Run(project, history, engine, say=lambda _: None)
        for script in history.scripts:
            say(name_of(script))
            found = list(_proved(run, script))
            findings += found
            if any(each.code == "migrate.fails" for each in found):
                return findings
        findings += _of_models(project, engine)
    return findings


def _of_files(project: Project, history: History) -> Iterator[Finding]:
    heads = several_heads(history)
    if heads is not None:
        yield heads
    for script in edited(read_checksums(project.checksums), history.scripts):
        yield _finding(
            script,
            "edited",
            "is not what its checksum says.",
            "Bring it back, or if it is meant and applied nowhere: tilth migrate check --seal.",
        )
    for script in history.scripts:
        yield from model_imports(script, project.folder.parent)


def _of_models(project: Project, engine: Engine) -> Iterator[Finding]:
    with engine.connect() as connection:
        have = _shape(project, connection)
        connection.rollback()
        want = shape_of_models(connection, project.metadatas)
    changes = changes_between(have, want)
    if changes:
        yield models_differ(tuple(map(str, changes)))


def _proved(run: Run, script: Script) -> Iterator[Finding]:
    try:
        missed = _seed(run)
        try:
            before = _snapshot(run)
            _make(run, script, up=True)
        except (IntegrityError, SetupError) as exc:
            yield _finding(
                script,
                "depends_on_rows",
                f"fails for rows such as the sample ones ({_said(exc)}); it is tried without them.",
                "Where such rows may be, correct them in a revision before it.",
                "warning",
            )
            _empty(run)
            before = _snapshot(run)
            _make(run, script, up=True)
        after = _snapshot(run)
        irreversible = list(irreversible_findings(script))
        yield from irreversible
        if irreversible:
            return
        _make(run, script, up=False)
        back = _snapshot(run)
        yield from _traces(script, before, back)
        _make(run, script, up=True)
        yield from _changed_by_going_back(script, after, _snapshot(run))
    except (SQLAlchemyError, CommandError) as exc:
        yield _finding(script, "fails", f"fails: {_said(exc)}.", "Correct it.")
        return
    if missed:
        yield _finding(
            script,
            "no_rows",
            f"is tried without rows in {sentence_list(missed)}: none was found that fits.",
            "Nothing has to be done.",
            "warning",
        )


def _said(exc: Exception) -> str:
    return str(getattr(exc, "orig", None) or exc).strip().splitlines()[0].rstrip(".")


def _empty(run: Run) -> None:
    with run.engine.begin() as connection:
        clear_tables(connection, _shape(run.project, connection))


def _seed(run: Run) -> list[str]:
    with run.engine.begin() as connection:
        return fill_tables(connection, _shape(run.project, connection))


def _snapshot(run: Run) -> Snapshot:
    with run.engine.connect() as connection:
        shape = _shape(run.project, connection)
        return Snapshot(shape, contents(connection, shape))


def _shape(project: Project, connection: Connection) -> Shape:
    return shape_of(connection, schemas_of(project.metadatas)).without(project.own_tables)


def _make(run: Run, script: Script, *, up: bool) -> None:
    map_ = run.history.directory.revision_map
    made = MigrationStep.upgrade_from_script if up else MigrationStep.downgrade_from_script
    step: RevisionStep = made(map_, script)
    make_steps(run, lambda heads: [step])


def _traces(script: Script, before: Snapshot, back: Snapshot) -> Iterator[Finding]:
    changes = [str(each) for each in changes_between(before.shape, back.shape)]
    others = before.shape.others.items() ^ back.shape.others.items()
    changes += sorted({f"other: {name}" for name, _ in others})
    if changes:
        yield _finding(
            script,
            "leaves_traces",
            f"leaves something behind when it is undone: {sentence_list(changes)}.",
            "Undo it in downgrade, in the opposite order.",
        )
    lost = sorted(_different(before.rows, back.rows))
    # What a contracting revision loses has been agreed to in it.
    if lost and phase_of(script) != "contract":
        yield _finding(
            script,
            "loses_values",
            f"does not bring back the values of {sentence_list(lost)} when it is undone.",
            'Keep them where downgrade finds them, or say irreversible("…") there.',
            "warning",
        )


def _changed_by_going_back(script: Script, after: Snapshot, again: Snapshot) -> Iterator[Finding]:
    if changes := changes_between(after.shape, again.shape):
        yield _finding(
            script,
            "not_repeatable",
            f"makes something else the second time: {sentence_list(map(str, changes))}.",
            "Undo in downgrade all that upgrade does.",
        )
    counts = [
        name for name, rows in after.rows.items() if len(rows) != len(again.rows.get(name, ()))
    ]
    if counts:
        yield _finding(
            script,
            "loses_rows",
            f"loses rows of {sentence_list(sorted(counts))} on the way down and up again.",
            "Look for a deletion, or for a table that is dropped and made anew.",
        )


def _different(old: Rows, new: Rows) -> Iterator[str]:
    """Columns of tables that have lost values. What was NULL and is something now does not count."""
    for name in old.keys() & new.keys():
        columns = {column for row in old[name] for column in row}
        for column in sorted(columns):
            sides = ((row.get(column, "None") for row in side[name]) for side in (old, new))
            before, after = (Counter(value for value in side if value != "None") for side in sides)
            if before - after:
                yield f"{name}.{column}"


def _finding(
    script: Script, code: HistoryCode, reason: str, remedy: str, level: Level = "error"
) -> Finding:
    path = Path(script.path)
    return finding_of(code, path.name, reason, remedy, level, f"{path}:1")
