"""Pending revisions → the database, each whole or not at all, by one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal

from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import Script
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tilth.errors import CommandError
from tilth.kernel.store.sync import chain_of
from tilth.kit.clock import now
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.checksums import checksum_of
from tilth.runtime.migrate.context import Watch, heads_of, migration_context, plainly
from tilth.runtime.migrate.databases import schemas_of, shape_of
from tilth.runtime.migrate.history import History
from tilth.runtime.migrate.lock import run_lock
from tilth.runtime.migrate.log import Entry, ensure_log, forget_entry, write_entry
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.shape import Shape

Direction = Literal["up", "down"]
Phase = Literal["expand", "backfill", "contract"]

PHASES: Mapping[str, Phase] = {
    "expand": "expand",
    "backfill": "backfill",
    "contract": "contract",
}
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
LOCK_CODES = frozenset({"55P03", "40P01"})
"""SQLSTATE of a lock that was not got in time, and of a deadlock."""

_FOREIGN_KEYS = "PRAGMA foreign_key_check"


@dataclass(frozen=True, slots=True)
class Applied:
    """One revision that was made or undone."""

    revision: str
    name: str
    direction: Direction
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What one call of `up` or `down` goes by.

    watch: sees each operation. say: for people. before: called once, when something will be done.
    """

    project: Project
    history: History
    engine: Engine
    watch: Watch = plainly
    say: Callable[[str], None] = print
    before: Callable[[Sequence[RevisionStep]], None] = lambda steps: None
    each: Callable[[RevisionStep], None] = lambda step: None


def current_heads(run: Run) -> tuple[str, ...]:
    """What is applied. Raises CommandError for a revision that no file has."""
    with run.engine.connect() as connection:
        heads = heads_of(run.project, connection)
    for head in heads:
        if run.history.script(head) is None:
            raise CommandError(
                f"The database is at revision {head}, which no file in {run.project.folder} has.",
                f"Use the code that has it, or bring the file back: git log --all -- '*{head}*'",
            )
    return heads


def steps_up(run: Run, heads: Sequence[str], target: str | tuple[str, ...]) -> list[RevisionStep]:
    return run.history.directory._upgrade_revs(target, tuple(heads))  # type: ignore[arg-type]


def steps_down(run: Run, heads: Sequence[str], target: str) -> list[RevisionStep]:
    return run.history.directory._downgrade_revs(target, tuple(heads))  # type: ignore[arg-type]


def make_steps(run: Run, find: Callable[[Sequence[str]], Sequence[RevisionStep]]) -> list[Applied]:
    """All that find tells of, given the heads; nothing is locked when there is nothing to do."""
    if not find(current_heads(run)):
        return []
    made: list[Applied] = []
    settings = run.project.settings
    with run_lock(run.engine, run.project.version_table, settings.wait_seconds, run.say):
        steps = find(current_heads(run))
        if steps:
            run.before(steps)
        for step in steps:
            applied = _made(run, step)
            if applied is not None:
                made.append(applied)
    return made


def _made(run: Run, step: RevisionStep) -> Applied | None:
    """Again and again while there is no lock to be got. None: another process was quicker."""
    settings = run.project.settings
    pause = FIRST_PAUSE_SECONDS
    deadline = monotonic() + settings.wait_seconds
    attempt = 0
    while True:
        attempt += 1
        try:
            return _make_once(run, step)
        except DBAPIError as exc:
            is_file = run.engine.dialect.name == "sqlite"
            if not _is_lock(exc) or (is_file and monotonic() > deadline):
                raise
            if not is_file and attempt >= settings.attempts:
                raise CommandError(
                    f"{name_of(step.revision)}: no lock was to be had in {attempt} attempts of "
                    f"{settings.lock_seconds:g} seconds.{_who_holds(run.engine)}",
                    "Nothing was changed by it. Run it when less is going on, or end what holds the lock.",
                ) from exc
            run.say(f"{name_of(step.revision)}: no lock yet, trying again in {pause:g} seconds.")
            sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _make_once(run: Run, step: RevisionStep) -> Applied | None:
    started = monotonic()
    done: list[RevisionStep] = []

    def pending(heads: Sequence[str], context: MigrationContext) -> list[RevisionStep]:
        connection = context.connection
        assert connection is not None
        _lock_versions(run.project, connection)
        if set(heads) == set(heads_of(run.project, connection)) and _is_due(step, heads):
            run.each(step)
            broken.update(_broken_keys(connection))
            return [step]
        return []

    def applied(*, ctx: MigrationContext, **_: Any) -> None:
        connection = ctx.connection
        assert connection is not None
        _require_keys(connection, broken, step)
        _record(run.project, connection, step, monotonic() - started)
        done.append(step)

    broken: set[tuple[Any, ...]] = set()
    directory = run.history.directory
    with run.engine.connect() as connection:
        scope = migration_context(
            run.project, directory, connection, pending, watch=run.watch, on_applied=applied
        )
        with scope as context, context.begin_transaction():
            context.run_migrations()
    if not done:
        return None
    seconds = monotonic() - started
    direction: Direction = "up" if step.is_upgrade else "down"
    return Applied(step.revision.revision, name_of(step.revision), direction, seconds)


def _is_due(step: RevisionStep, heads: Sequence[str]) -> bool:
    if step.is_upgrade:
        return step.revision.revision not in heads and set(
            step.revision._normalized_down_revisions
        ) <= _with_ancestors(step, heads)
    return step.revision.revision in heads


def _with_ancestors(step: RevisionStep, heads: Sequence[str]) -> set[str]:
    revisions = step.revision_map.iterate_revisions(tuple(heads) or "base", "base", inclusive=True)
    return {each.revision for each in revisions} if heads else set()


def _lock_versions(project: Project, connection: Connection) -> None:
    """So that two processes cannot make the same revision, whatever became of the run lock."""
    if connection.dialect.name != "sqlite":
        quote = connection.dialect.identifier_preparer
        table = quote.quote(project.version_table)
        if project.version_schema:
            table = f"{quote.quote_schema(project.version_schema)}.{table}"
        connection.exec_driver_sql("LOCK TABLE " + table + " IN SHARE ROW EXCLUSIVE MODE")


def _record(project: Project, connection: Connection, step: RevisionStep, seconds: float) -> None:
    ensure_log(connection)
    script = step.revision
    if not step.is_upgrade:
        forget_entry(connection, script.revision)
        return
    shape = shape_of(connection, schemas_of(project.metadatas)).without(project.own_tables)
    entry = Entry(
        script.revision,
        phase_of(script),
        checksum_of(Path(script.path)),
        now(),
        seconds,
        fingerprint(shape),
    )
    write_entry(connection, entry)


def fingerprint(shape: Shape) -> str:
    """The same for databases that look alike. Whether constraints are validated does not count."""
    lines = [repr(shape.tables[name]) for name in sorted(shape.tables)]
    lines += [repr(item) for item in sorted(shape.enums.items())]
    lines += [repr(item) for item in sorted(shape.others.items())]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def phase_of(script: Script) -> Phase:
    """What the file says; a revision that says nothing may run before the new code does."""
    said = getattr(script.module, "phase", "expand")
    if said not in PHASES:
        raise CommandError(
            f"{name_of(script)}: phase is {said!r}.", f"Write {sentence_list(PHASES)}."
        )
    return PHASES[said]


def name_of(script: Script) -> str:
    return Path(script.path).stem


def _broken_keys(connection: Connection) -> set[tuple[Any, ...]]:
    """Rows of SQLite that refer to nothing: enforcement is off while tables are changed."""
    if connection.dialect.name != "sqlite":
        return set()
    return {tuple(row)[:3] for row in connection.exec_driver_sql(_FOREIGN_KEYS)}


def _require_keys(connection: Connection, before: set[tuple[Any, ...]], step: RevisionStep) -> None:
    """Raises CommandError when a revision leaves rows behind that refer to nothing."""
    after = _broken_keys(connection) - before
    if after:
        table, _, target = next(iter(sorted(after, key=str)))
        raise CommandError(
            f"{name_of(step.revision)}: {len(after)} rows would refer to nothing, such as rows of "
            f"{table} to {target}. Nothing was changed.",
            "Correct the rows first, in this revision or before it.",
        )


def _is_lock(exc: DBAPIError) -> bool:
    if getattr(exc.orig, "sqlstate", None) in LOCK_CODES:
        return True
    # SQLITE_BUSY and SQLITE_LOCKED: sqlite.org/rescode.html
    return any(getattr(each, "sqlite_errorcode", 0) & 0xFF in (5, 6) for each in chain_of(exc))


_HOLDERS = text("""
    SELECT a.pid, a.application_name, a.state, left(a.query, 60) AS query,
           round(extract(epoch FROM now() - a.xact_start)) AS seconds
    FROM pg_stat_activity a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
      AND EXISTS (SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                  WHERE l.pid = a.pid AND l.granted AND c.relkind IN ('r', 'p') AND c.oid > 16383)
    ORDER BY a.xact_start LIMIT 3""")


def _who_holds(engine: Engine) -> str:
    if engine.dialect.name == "sqlite":
        return ""
    with engine.connect() as connection:
        rows = connection.execute(_HOLDERS).all()
    told = [
        f"process {row.pid} ({row.application_name or 'no name'}, {row.state} for "
        f"{row.seconds} s: {row.query})"
        for row in rows
    ]
    return f" Open transactions: {'; '.join(told)}." if told else ""
