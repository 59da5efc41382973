"""Mapped objects made, changed and removed together with what the server itself keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tilth.kernel.plan.change import WritePlan
from tilth.kernel.schema.upkeep import values_at_change, values_at_creation, values_at_deletion
from tilth.kernel.store import entities
from tilth.kernel.store.deletion import delete
from tilth.kernel.store.record import Record
from tilth.kernel.store.scope import Scope


def new_values(scope: Scope, plan: WritePlan) -> dict[str, Any]:
    """What a new row holds as far as it is not the database that makes it."""
    resource = plan.resource
    kept = values_at_creation(resource.fields, resource.upkeep, scope.now())
    return {**plan.values, **kept}


def keep_up(scope: Scope, plan: WritePlan, entity: Any) -> None:
    resource = plan.resource
    entities.assign(entity, values_at_change(resource.fields, resource.upkeep, scope.now(), entity))


def remove(scope: Scope, plan: WritePlan, rows: Sequence[Record]) -> None:
    """Or mark them as removed, where the resource keeps them. Raises Conflict."""
    resource = plan.resource
    marked: list[Any] = []
    for row in rows:
        gone = values_at_deletion(resource.fields, resource.upkeep, scope.now(), row.entity)
        if gone:
            entities.assign(row.entity, gone)
            marked.append(row.entity)
    if marked:
        entities.flush(scope.session, plan)
    else:
        delete(scope.session, *(row.entity for row in rows))
