"""Constraints that wait for the commit, asked before it.

So what they refuse is told by field, and by a dry run as well. PostgreSQL alone can be asked: SQLite
lets foreign keys wait too, and those to exposed resources are looked at with the row (kernel.store.record).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import ForeignKeyConstraint, MetaData, Table, text
from sqlalchemy.exc import IntegrityError

from tilth.errors import ProblemError
from tilth.kernel.plan.change import WritePlan
from tilth.kernel.schema.resource import Schema
from tilth.kernel.store.integrity import (
    FOREIGN_KEY,
    broken_rule,
    kind_of,
    still_referenced,
    table_of,
    violation,
)
from tilth.kernel.store.scope import Scope


def ask_what_waits(scope: Scope) -> None:
    """At the end of a unit, once everything is as it is to stay. Raises Conflict or Invalid."""
    if scope.records.dialect.name != "postgresql" or not _is_any_written(scope):
        return
    try:
        scope.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    except IntegrityError as exc:
        raise _refusal(scope, exc) from exc


def _is_any_written(scope: Scope) -> bool:
    """Whether something waits for the tables that were written. What a deletion takes along, nobody
    has planned, so it may be of any.
    """
    records = scope.records
    if records.deferred is None:
        tables = (table for each in _metadata(scope.sight.schema) for table in each.tables.values())
        records.deferred = frozenset(each for table in tables for each in _waited_for(table))
    return bool(records.deferred) and any(
        plan.action == "delete" or not records.deferred.isdisjoint(plan.resource.tables)
        for _, plan in scope.written
    )


def _waited_for(table: Table) -> Iterator[Table]:
    """Itself, and what its foreign keys lead to."""
    for constraint in table.constraints:
        if (constraint.initially or "").upper() == "DEFERRED":
            yield table
            if isinstance(constraint, ForeignKeyConstraint):
                yield constraint.referred_table


def _metadata(schema: Schema) -> set[MetaData]:
    """Tables that nobody exposes refer to rows as well."""
    tables = (table for resource in schema.values() for table in resource.tables)
    return {table.metadata for table in tables if isinstance(table, Table)}


def _refusal(scope: Scope, exc: IntegrityError) -> ProblemError:
    """By field where one place in the request can be meant, else for the request as a whole."""
    made = dict(_made_in(scope, table_of(exc)))
    if not made:
        return still_referenced() if kind_of(exc) == FOREIGN_KEY else broken_rule("")
    place, plan = made.popitem()
    found = violation(exc, plan.rights.access, place)
    return replace(found, faults=()) if made else found


def _made_in(scope: Scope, table_name: str | None) -> Iterator[tuple[str, WritePlan]]:
    """What was created or changed in that table, by its place."""
    for place, plan in scope.written:
        named = {each.name for each in plan.resource.tables if isinstance(each, Table)}
        if plan.action != "delete" and table_name in named:
            yield place, plan
