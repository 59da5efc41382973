"""A row that is created, or changed when there already is one with the same unique values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, UniqueConstraint

from tilth.errors import Fault, PreconditionRequired, bad_parameter, invalid
from tilth.kernel.plan.body import member
from tilth.kernel.plan.change import WritePlan
from tilth.kernel.plan.intent import WriteIntent
from tilth.kernel.plan.sight import Sight, field_named
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.bodies import accepted
from tilth.kernel.schema.resource import Field, Resource


@dataclass(frozen=True, slots=True)
class MergePlan:
    """create: the new row. on: names of the unique fields. change: what an old row is changed by,
    planned when there is one. conditional: an old row is changed with If-Match only.
    """

    create: WritePlan
    on: tuple[str, ...]
    change: WriteIntent
    conditional: bool = False


def if_match_required() -> PreconditionRequired:
    return PreconditionRequired(
        "Send If-Match with the ETag that the row was read with, so that no change is lost."
    )


def plan_merge(
    create: WritePlan, intent: WriteIntent, on: Sequence[str], *, conditional: bool = False
) -> MergePlan:
    """create: as planned from the intent. Raises Invalid when a unique field has no value."""
    faults = [
        Fault(intent.pointer + member(name), "required", "Is required: rows are told apart by it.")
        for name in on
        if create.values.get(name) is None
    ]
    if faults:
        raise invalid(faults)
    # What the rows are told apart by is the same in both, and need not be writable in the old. A
    # key that the client chooses is that of a new row: the old one keeps its own.
    body = _without(create.resource, intent.body, {*on, *create.resource.key})
    change = replace(intent, action="update", body=body)
    return MergePlan(create, tuple(on), change, conditional)


def changed_by(plan: MergePlan, stored: Mapping[str, Any]) -> WriteIntent:
    """What the row that is there is changed by. stored: field → JSON value, as far as it may be read.

    What can only be given once is needed by a new row, and so said again with every merge: the
    same value is no change of it.
    """
    resource, values = plan.create.resource, plan.create.values
    held = {
        name
        for name in plan.create.rights.policy.write_once
        if name in values and name in stored and _says(resource.fields[name], stored[name], values)
    }
    return replace(plan.change, body=_without(resource, plan.change.body, held))


def _says(field: Field, stored: Any, values: Mapping[str, Any]) -> bool:
    try:
        return bool(accepted(field, stored) == values[field.name])
    except ValueError:
        # It could not be sent today.
        return False


def _without(
    resource: Resource, body: Mapping[str, object], known: AbstractSet[str]
) -> dict[str, object]:
    """Without those fields, and without relations that say nothing else."""

    def says_it(name: str) -> bool:
        relation = resource.relations.get(name)
        local = relation.local if relation is not None and name not in resource.fields else ()
        return name in known or (bool(local) and set(local) <= known)

    return {name: value for name, value in body.items() if not says_it(name)}


def unique_fields(sight: Sight, resource_name: str, on: Sequence[str]) -> tuple[str, ...]:
    """The same names, if they are all the fields of one unique constraint. Raises BadRequest."""
    access = sight.access(resource_name)
    for name in on:
        field_named(access, name, "on")
    sets = list(unique_sets(access))
    if set(on) in sets and len(set(on)) == len(on):
        return tuple(on)
    listed = " or ".join(f"on={','.join(sorted(each))}" for each in sets)
    hint = f"These are: {listed}." if sets else f"{resource_name} has no such fields."
    detail = f"{','.join(on)} are not the fields of one unique constraint. {hint}"
    raise bad_parameter("on", "not_unique", detail)


def unique_sets(access: Access) -> Iterator[set[str]]:
    """Of the constraints whose fields the actor may read, all of them."""
    names = {
        field.expression: name
        for name, field in access.fields.items()
        if isinstance(field.expression, Column)
    }
    for table in access.resource.tables:
        for columns in _unique_columns(table) if isinstance(table, Table) else ():
            if columns and all(column in names for column in columns):
                yield {names[column] for column in columns}


def _unique_columns(table: Table) -> Iterator[list[Column[object]]]:
    """An index over a part of the rows, or over expressions, makes no column unique."""
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
            yield list(constraint.columns)
    for index in table.indexes:
        if index.unique and not _is_partial(index):
            yield list(index.columns)


def _is_partial(index: Index) -> bool:
    options = index.dialect_options
    partial = any(options[name].get("where") is not None for name in ("sqlite", "postgresql"))
    return partial or not all(isinstance(each, Column) for each in index.expressions)
