"""Changes of a table's text: what ALTER TABLE says elsewhere, said of CREATE TABLE."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tilth.errors import CommandError
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.shape import ConstraintShape
from tilth.runtime.migrate.sqlite.shape import constraints_of
from tilth.runtime.migrate.sqlite.table_text import (
    Clause,
    ClauseKind,
    ColumnText,
    TableText,
    column_text,
)
from tilth.runtime.migrate.sqlite.tokens import tokens_of

CONSTRAINTS = frozenset({"primary key", "unique", "check", "foreign key"})


def with_column(table: TableText, column: ColumnText) -> TableText:
    if table.column(column.name) is not None:
        raise CommandError(f"{table.name} has a column {column.name} already.")
    return replace(table, columns=(*table.columns, column))


def without_column(table: TableText, name: str) -> TableText:
    """Constraints that the column takes part in go with it, as they do on PostgreSQL."""
    going = required(table, name).name
    kept = table
    if any(going in each.columns for each in constraints_of(table)):
        kept = without_constraint(table, lambda each: going in each.columns)
    return replace(kept, columns=tuple(each for each in kept.columns if each.name != going))


def with_nullable(column: ColumnText, nullable: bool) -> ColumnText:
    kept = _without(column, "not null", "null")
    return kept if nullable else _with(kept, Clause("not null", None, tokens_of("NOT NULL")))


def with_default(column: ColumnText, default: str | None) -> ColumnText:
    kept = _without(column, "default")
    if default is None:
        return kept
    return _with(kept, Clause("default", None, tokens_of(f"DEFAULT {default}")))


def with_generated(column: ColumnText, clause: str | None) -> ColumnText:
    """clause: GENERATED ALWAYS AS … as SQLAlchemy writes it; None for a plain column."""
    kept = _without(column, "generated", "default" if clause else "generated")
    return _with(kept, Clause("generated", None, tokens_of(clause))) if clause else kept


def with_type(column: ColumnText, type_text: str, *, keep_collation: bool) -> ColumnText:
    """type_text: as SQLAlchemy writes it, a collation behind it."""
    given = column_text(f"x {type_text}")
    collate = given.clause("collate")
    changed = replace(column, type=given.type)
    if collate is None and keep_collation:
        return changed
    changed = _without(changed, "collate")
    return _with(changed, collate) if collate else changed


def with_constraint(table: TableText, clause: Clause) -> TableText:
    return replace(table, constraints=(*table.constraints, clause))


def without_constraint(table: TableText, is_meant: Callable[[ConstraintShape], bool]) -> TableText:
    """Of those that are meant, all; raises CommandError when there is none."""
    shapes = list(constraints_of(table))
    if not any(map(is_meant, shapes)):
        names = sentence_list(each.name for each in shapes) or "none"
        raise CommandError(f"{table.name} has no such constraint.", f"It has: {names}.")
    remaining = iter(shapes)
    columns = []
    for column in table.columns:
        clauses = [each for each in column.clauses if _stays(each, remaining, is_meant)]
        columns.append(replace(column, clauses=tuple(clauses)))
    constraints = [each for each in table.constraints if _stays(each, remaining, is_meant)]
    return replace(table, columns=tuple(columns), constraints=tuple(constraints))


def changed_column(
    table: TableText, name: str, change: Callable[[ColumnText], ColumnText]
) -> TableText:
    found = required(table, name)
    columns = (change(each) if each is found else each for each in table.columns)
    return replace(table, columns=tuple(columns))


def required(table: TableText, name: str) -> ColumnText:
    column = table.column(name)
    if column is None:
        names = sentence_list(each.name for each in table.columns)
        raise CommandError(f"{table.name} has no column {name}.", f"It has: {names}.")
    return column


def _stays(
    clause: Clause,
    shapes: Iterator[ConstraintShape],
    is_meant: Callable[[ConstraintShape], bool],
) -> bool:
    """shapes: one for each clause that is a constraint, in the order in which they are written."""
    return clause.kind not in CONSTRAINTS or not is_meant(next(shapes))


def _without(column: ColumnText, *kinds: ClauseKind) -> ColumnText:
    return replace(column, clauses=tuple(each for each in column.clauses if each.kind not in kinds))


def _with(column: ColumnText, clause: Clause) -> ColumnText:
    return replace(column, clauses=(*column.clauses, clause))
