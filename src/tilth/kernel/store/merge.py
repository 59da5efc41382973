"""MergePlan → Change: the row is created, or the one that is there is changed.

Race-safe on both databases: whoever comes second finds the unique value taken, goes back to the
savepoint, and changes the row of who came first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from tilth.errors import Conflict, PreconditionFailed
from tilth.kernel.plan.before import prepared
from tilth.kernel.plan.change import Key, Row
from tilth.kernel.plan.merge import MergePlan, changed_by, if_match_required
from tilth.kernel.plan.write import permitted, plan_update
from tilth.kernel.store.apply import Change, apply
from tilth.kernel.store.binds import bind_type
from tilth.kernel.store.record import Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.source import stored_rows
from tilth.kernel.store.verdicts import rules_of


def merge(scope: Scope, plan: MergePlan, *, mapped: bool = False) -> Change:
    """mapped: the mapped object of a new row is wanted. Raises what creating and changing raise."""
    key = _stored_key(scope, plan)
    if key is not None:
        return _merged(scope, plan, key)
    if plan.change.if_match is not None:
        raise PreconditionFailed("There is no such row yet, and If-Match asks for one.")
    told = len(scope.events), len(scope.seen)
    try:
        with scope.session.begin_nested():
            return apply(scope, plan.create, mapped=mapped)
    except Conflict as exc:
        if exc.code != "unique":
            raise
        key = _stored_key(scope, plan)
        if key is None:
            raise
        del scope.events[told[0] :], scope.seen[told[1] :]
        return _merged(scope, plan, key)


def merge_many(scope: Scope, plans: Sequence[MergePlan]) -> list[Change]:
    """One after the other; the changes are in the order of the plans.

    They are made in the order of what rows are told apart by, so that two requests that hold the
    same rows do not wait for each other in a circle. Those for the same row keep their order.
    """

    def told_apart_by(place: int) -> tuple[str, ...]:
        values = plans[place].create.values
        return tuple(str(values[name]) for name in plans[place].on)

    made: dict[int, Change] = {}
    for place in sorted(range(len(plans)), key=told_apart_by):
        made[place] = merge(scope, plans[place])
    return [made[place] for place in range(len(plans))]


def _stored_key(scope: Scope, plan: MergePlan) -> Key | None:
    """Of the row with the same unique values, whoever may see it."""
    access = plan.create.rights.access
    fields = access.resource.fields
    same = [
        fields[name].expression
        == bindparam(
            None,
            plan.create.values[name],
            type_=bind_type(fields[name].kind, fields[name].expression.type),
        )
        for name in plan.on
    ]
    key = [fields[name].expression for name in access.resource.key]
    row: Any = scope.session.execute(
        select(*key).select_from(stored_rows(access).rows).where(*same)
    ).one_or_none()
    return None if row is None else tuple(row)


def _merged(scope: Scope, plan: MergePlan, key: Key) -> Change:
    """A row that the actor may not read, or not by these fields, is the conflict that creating
    another makes of it.
    """
    rights, sight = plan.create.rights, scope.sight
    wish = Wish(rights, rules_of(rights, ("read",)))
    found = scope.records.look(scope.session, wish, key, sight.actor)
    if found is None or not found.granted["read"] or not found.masked.isdisjoint(plan.on):
        return apply(scope, plan.create)
    permitted(sight, rights, "update")
    if plan.conditional and plan.change.if_match is None:
        raise if_match_required()
    readable = {n: value for n, value in found.values.items() if n not in found.masked}
    change = plan_update(changed_by(plan, readable), sight, Row(rights, key))
    return apply(scope, prepared(change, sight.hooks, sight.actor))
