"""Pending revisions, made in a scratch database → each statement with its lock, rows and time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic.operations import MigrateOperation
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Connection, Engine, event

from tilth.errors import Finding
from tilth.kernel.store.drivers.sqlite_file import sqlite_file_from
from tilth.kernel.store.sync import sync_engine
from tilth.runtime.migrate.backfill import BATCHES_TOLD
from tilth.runtime.migrate.context import heads_of
from tilth.runtime.migrate.databases import is_outside_transaction, scratch_engine
from tilth.runtime.migrate.history import History
from tilth.runtime.migrate.postgresql.probe import Probed, probe
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.revisions import irreversible_findings
from tilth.runtime.migrate.run import Phase, Run, make_steps, name_of, phase_of, steps_up
from tilth.runtime.migrate.safety.guard import Guard
from tilth.runtime.migrate.safety.locking import table_of
from tilth.runtime.migrate.safety.rows import Rows
from tilth.runtime.migrate.sqlite.rebuild import PREFIX
from tilth.runtime.migrate.sqlite.tokens import tokens_of, unquoted
from tilth.runtime.migrate.writing.find import replay

ROWS_PER_SECOND = 400_000
"""That are copied or looked at; measured on two cores, so good for an order of magnitude."""

_UNTOLD = re.compile(
    r"\s*(SELECT|SHOW|PRAGMA|LOCK|SET LOCAL|SAVEPOINT|RELEASE|ROLLBACK|BEGIN|COMMIT)\b",
    re.IGNORECASE,
)
_FILLERS = ("IF", "NOT", "EXISTS", "ONLY", "CONCURRENTLY")
_OF_FILE = "writers wait"
"""The lock of everything that SQLite writes."""
_SCANS = re.compile(
    r"CREATE\s+(UNIQUE\s+)?INDEX|VALIDATE|ADD\s+CONSTRAINT(?!.*NOT VALID)|SET\s+NOT\s+NULL|^UPDATE|^DELETE",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class PlannedStatement:
    """lock: the strongest, "" where none is taken. seconds: roughly, of the rows there are now."""

    sql: str
    table: str = ""
    lock: str = ""
    rewrites: bool = False
    rows: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class PlannedRevision:
    """findings: errors are what `up` would refuse. irreversible: why it cannot be undone."""

    revision: str
    name: str
    phase: Phase
    statements: list[PlannedStatement] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    irreversible: str = ""


def plan_of(project: Project, history: History, target: str) -> list[PlannedRevision]:
    """Nothing is changed but in a scratch database; rows are counted where they are."""
    with _actual(project) as actual, actual.connect() as connection:
        heads = heads_of(project, connection)
        with scratch_engine(project.url, project.settings.scratch) as engine:
            if heads:
                replay(project, history, engine, tuple(heads))
            return _planned(project, history, engine, Rows(connection), target)


@contextmanager
def _actual(project: Project) -> Iterator[Engine]:
    url = project.url
    if url.drivername == "sqlite":
        file = sqlite_file_from(url)
        if file.in_memory or not Path(file.path).exists():
            url = url.set(database=":memory:", query={})
    engine = sync_engine(url, read_only=project.url.drivername != "sqlite")
    try:
        yield engine
    finally:
        engine.dispose()


def _planned(
    project: Project, history: History, engine: Engine, rows: Rows, target: str
) -> list[PlannedRevision]:
    planned: list[PlannedRevision] = []
    guard = Guard(lambda finding: planned[-1].findings.append(finding), rows=rows, refuses=False)

    def begin(step: RevisionStep) -> None:
        guard.begin(step)
        watching.is_active = True
        reasons = [f"{each.reason} {each.remedy}" for each in irreversible_findings(step.revision)]
        script = step.revision
        planned.append(
            PlannedRevision(
                script.revision, name_of(script), phase_of(script), irreversible=" ".join(reasons)
            )
        )

    watching = _Watching(project, guard, rows, lambda each: planned[-1].statements.append(each))
    run = Run(project, history, engine, watch=watching.watch, say=lambda _: None, each=begin)
    with _told(engine, watching):
        make_steps(run, lambda heads: steps_up(run, heads, target))
    return planned


class _Watching:
    """From the begin of a revision on. target: the table of the operation that is being made."""

    def __init__(
        self, project: Project, guard: Guard, rows: Rows, add: Callable[[PlannedStatement], None]
    ) -> None:
        self.guard, self.rows, self.add = guard, rows, add
        self.own = {name.rpartition(".")[2] for name in project.own_tables}
        self.target: tuple[str, str | None] | None = None
        self.is_active = False

    def watch(
        self, context: MigrationContext, operation: MigrateOperation, make: Callable[[], Any]
    ) -> Any:
        self.target = table_of(operation)
        try:
            return self.guard.watch(context, operation, make)
        finally:
            self.target = None

    def tell(self, sql: str, probed: Probed) -> None:
        plain = " ".join(sql.split())
        named = table_in(plain)
        # SQLite makes what was asked of one table when the next one is asked for.
        target = (named.removeprefix(PREFIX), None) if probed.lock == _OF_FILE else self.target
        table, schema = target or (probed.table or named, None)
        rows = self.rows.estimate(table, schema) if table else 0
        rewrites = probed.rewrites or plain.startswith(f'INSERT INTO "{PREFIX}')
        costs = rows if rewrites or _SCANS.search(plain) else 0
        self.add(
            PlannedStatement(plain, table, probed.lock, rewrites, rows, costs / ROWS_PER_SECOND)
        )

    def tell_batches(self, sql: str, table: str, schema: str | None, batch_rows: int) -> None:
        """Of a statement that is not made, since there are no rows in the scratch database."""
        rows = self.rows.estimate(table, schema)
        lock = f"ROW EXCLUSIVE, {batch_rows:,} rows at a time"
        self.add(PlannedStatement(sql, table, lock, False, rows, rows / ROWS_PER_SECOND))

    def is_told(self, sql: str) -> bool:
        """All but questions, and what Tilth and Alembic write down about the revision."""
        return self.is_active and not _UNTOLD.match(sql) and table_in(sql) not in self.own


def table_in(sql: str) -> str:
    """The one that a statement is about, without its schema; "" for none."""
    tokens = tokens_of(sql)
    for place, token in enumerate(tokens[:-1]):
        if token.word in ("TABLE", "INTO", "FROM", "ON") or (place == 0 and token.word == "UPDATE"):
            names = [each for each in tokens[place + 1 : place + 7] if each.word not in _FILLERS]
            dotted = names[2:3] if names[1:2] and names[1].text == "." else names[:1]
            return "".join(map(unquoted, dotted))
    return ""


@contextmanager
def _told(engine: Engine, watching: _Watching) -> Iterator[None]:
    def before(
        connection: Connection, cursor: Any, sql: str, parameters: Any, _: Any, is_many: bool
    ) -> None:
        if not watching.is_told(sql):
            return
        watching.is_active = False
        try:
            probed = _probed(
                connection, sql, parameters[0] if is_many and parameters else parameters
            )
        finally:
            watching.is_active = True
        watching.tell(sql, probed)

    engine.update_execution_options(**{BATCHES_TOLD: watching.tell_batches})
    event.listen(engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)


def _probed(connection: Connection, sql: str, parameters: Any) -> Probed:
    if connection.dialect.name == "sqlite":
        return Probed(lock=_OF_FILE)
    if is_outside_transaction(connection):
        return Probed(lock="SHARE UPDATE EXCLUSIVE" if "CONCURRENTLY" in sql.upper() else "ROW")
    return probe(connection, sql, parameters)


def is_refused(planned: Sequence[PlannedRevision]) -> bool:
    return any(finding.level == "error" for each in planned for finding in each.findings)
