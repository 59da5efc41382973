"""Every operation of a revision, looked at before it is made: refused, told, or let pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alembic.operations import MigrateOperation, ops
from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import text

from tilth.errors import Finding, SetupError
from tilth.runtime.migrate.databases import is_outside_transaction
from tilth.runtime.migrate.quoting import literally, quoter
from tilth.runtime.migrate.safety import advice, locking, losing
from tilth.runtime.migrate.safety.risks import Check, Looked, Risk, Sofar
from tilth.runtime.migrate.safety.rows import Rows
from tilth.runtime.migrate.safety.statements import statement_risks, unproven_in
from tilth.runtime.migrate.saying import reason_given

CHECKS: tuple[Check, ...] = (
    *losing.CHECKS,
    *locking.CHECKS,
    *advice.CHECKS,
    statement_risks,
)

_INVALID = text(
    "SELECT 1 FROM pg_index i WHERE i.indexrelid = to_regclass(:place) AND NOT i.indisvalid"
)


@dataclass(slots=True)
class Guard:
    """say: for warnings. assured: why everything is right, from the command line.

    rows: where to look; the database that is changed unless given.
    """

    say: Callable[[Finding], None]
    assured: str | None = None
    rows: Rows | None = None
    refuses: bool = True
    sofar: Sofar = field(default_factory=Sofar)
    where: str | None = None

    def begin(self, step: RevisionStep) -> None:
        """Of a revision, whose operations follow."""
        self.sofar = Sofar(filled=self.sofar.filled)
        self.where = f"{Path(step.revision.path)}:1"

    def watch(
        self, context: MigrationContext, operation: MigrateOperation, make: Callable[[], Any]
    ) -> Any:
        connection = context.connection
        assert connection is not None
        is_alone = is_outside_transaction(connection)
        looked = Looked(operation, self.rows or Rows(connection), self.sofar, is_alone)
        self._judge(list(risks_of(looked)))
        _repair(context, operation)
        made = make()
        self._remember(looked)
        return made

    def _judge(self, risks: list[Risk]) -> None:
        reason = reason_given() or self.assured
        refused = [each for each in risks if each.level == "error" and reason is None]
        for each in risks:
            if each in refused:
                if not self.refuses:
                    self.say(each.finding(self.where))
            elif each.level == "warning":
                self.say(each.finding(self.where))
            else:
                told = replace(each.finding(self.where), level="assured", remedy=f"{reason}.")
                self.say(told)
        if refused and self.refuses:
            raise SetupError(*(each.finding(self.where) for each in refused))

    def _remember(self, looked: Looked) -> None:
        operation, sofar = looked.operation, self.sofar
        if isinstance(operation, ops.CreateTableOp):
            sofar.made.add((operation.table_name, operation.schema))
        name = getattr(operation, "constraint_name", None)
        is_loose = bool(getattr(operation, "kw", {}).get("postgresql_not_valid"))
        if isinstance(operation, ops.AddConstraintOp) and name and is_loose:
            sofar.unproven.add(str(name))
        if isinstance(operation, ops.CreateCheckConstraintOp):
            said = re.fullmatch(
                r'\(?"?(.+?)"? IS NOT NULL\)?', losing.condition_text(operation, looked)
            )
            target = (str(operation.table_name), operation.schema)
            sofar.filled |= {(target, said[1])} if said else set()
        if isinstance(operation, ops.ExecuteSQLOp):
            added = unproven_in(str(operation.sqltext))
            sofar.unproven |= {added} if added else set()
        locked = locking.table_of(operation)
        is_exclusive = isinstance(operation, locking.EXCLUSIVE)
        if locked is not None and is_exclusive and looked.is_hot(*locked):
            sofar.held.setdefault(locked, type(operation).__name__)


def risks_of(looked: Looked) -> Iterator[Risk]:
    for check in CHECKS:
        yield from check(looked)


def _repair(context: MigrationContext, operation: MigrateOperation) -> None:
    """An index that a run cut off has left behind is invalid: it is dropped, and built anew."""
    connection = context.connection
    if not isinstance(operation, ops.CreateIndexOp) or connection is None:
        return
    if not operation.kw.get("postgresql_concurrently") or connection.dialect.name != "postgresql":
        return
    quote = quoter(connection)
    parts = (operation.schema, operation.index_name)
    place = ".".join(quote(str(part)) for part in parts if part)
    if connection.execute(_INVALID, {"place": place}).scalar():
        connection.execute(literally(f"DROP INDEX CONCURRENTLY {place}"))
