"""What may be wrong with an operation: one record, with a code that docs/errors/migrate.md explains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from alembic.operations import MigrateOperation

from tilth.errors import Finding
from tilth.runtime.migrate.codes import Level, RiskCode, finding_of
from tilth.runtime.migrate.safety.rows import Rows

Target = tuple[str, str | None]
"""A table and its schema."""


@dataclass(frozen=True, slots=True)
class Risk:
    """An error is refused unless somebody has said why it is right; a warning is told."""

    code: RiskCode
    subject: str
    reason: str
    remedy: str
    level: Level = "error"

    def finding(self, where: str | None) -> Finding:
        return finding_of(self.code, self.subject, self.reason, self.remedy, self.level, where)


@dataclass(slots=True)
class Sofar:
    """What a revision has done before the operation that is looked at.

    made: tables, which nobody else can see yet. unproven: constraints that are not validated.
    held: big tables that are locked until its transaction ends.
    filled: columns for which a revision of this run has made a rule that they are not NULL.
    """

    made: set[Target] = field(default_factory=set)
    unproven: set[str] = field(default_factory=set)
    held: dict[Target, str] = field(default_factory=dict)
    filled: set[tuple[Target, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Looked:
    """An operation, the rows it is about, and what came before it.

    is_alone: it is made outside a transaction. rows: in a plan, not of the database it is tried on.
    """

    operation: MigrateOperation
    rows: Rows
    sofar: Sofar
    is_alone: bool = False

    def is_new(self, table: str, schema: str | None) -> bool:
        return (table, schema) in self.sofar.made

    def is_hot(self, table: str, schema: str | None) -> bool:
        """A big table of PostgreSQL that others are using. SQLite locks the file whatever is done."""
        return (
            self.rows.is_postgresql
            and not self.is_new(table, schema)
            and self.rows.is_big(table, schema)
        )


Check = Callable[[Looked], Iterator[Risk]]


def dotted(table: str, schema: str | None, column: str | None = None) -> str:
    return ".".join(filter(None, (schema, table, column)))
