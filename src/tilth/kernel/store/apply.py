"""WritePlan → Change, inside a unit of work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy.orm import class_mapper

from tilth.errors import invalid
from tilth.kernel.plan.change import Children, Key, Row, WritePlan
from tilth.kernel.plan.write import moved_away, of_another_place, refusal
from tilth.kernel.policy.policy import Action
from tilth.kernel.store import entities
from tilth.kernel.store.cascades import tell_what_changed, watched_at_change, watched_rows
from tilth.kernel.store.deferred import ask_what_waits
from tilth.kernel.store.insertion import insert_one
from tilth.kernel.store.integrity import not_kept
from tilth.kernel.store.linking import (
    ends_of,
    far_end,
    link_to_owner,
    make_link,
    put_links,
    take_link,
)
from tilth.kernel.store.outbox import write_events
from tilth.kernel.store.passed_over import no_row_passed_over
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.telling import tell
from tilth.kernel.store.upkeep import keep_up, new_values, remove
from tilth.kernel.store.verdicts import (
    check_masks,
    check_match,
    check_references,
    found_row,
    rules_of,
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Change:
    """What one plan has done. before, after: None where there is no row.

    entity: the mapped object of the row, as it is now; None where one was neither made nor wanted.
    """

    plan: WritePlan
    before: Record | None
    after: Record | None
    entity: Any = None


def carry_out(scope: Scope, plans: Sequence[WritePlan]) -> list[Change]:
    """All of them, in order, and the events that tell of them, in one statement.

    Raises NotFound, Forbidden, Unauthenticated, Conflict, Invalid, PreconditionFailed: then the
    unit must be rolled back.
    """
    return told(scope, lambda: [apply(scope, plan) for plan in plans])


def told(scope: Scope, job: Callable[[], Result]) -> Result:
    """Everything that the job changes, and then the events that tell of it."""
    told_before = len(scope.events)
    result = job()
    ask_what_waits(scope)
    write_events(scope.session, scope.outbox, scope.events[told_before:])
    return result


def apply(scope: Scope, plan: WritePlan, *, mapped: bool = False) -> Change:
    """One change, its events still to be written. mapped: the mapped object of a new row is wanted."""
    match plan.action:
        case "create":
            return _create(scope, plan, mapped=mapped)
        case "update":
            return _update(scope, plan)
        case "delete":
            return _delete(scope, plan)
        case "link" | "unlink":
            return _change_link(scope, plan)


def _create(scope: Scope, plan: WritePlan, *, mapped: bool = False) -> Change:
    scope.remember(plan)
    owner = owner_of(scope, plan)
    key, entity = _stored(scope, plan, mapped=mapped)
    after = _as_created(scope, plan, key)
    tell(scope, plan.rights, "created", None, after)
    put_links(scope, ends_of(plan, after, key))
    if owner is not None:
        link_to_owner(scope, plan, owner, key)
    for children in plan.children:
        for child in children.plans:
            _create(scope, _below(child, children, key))
    return Change(plan, None, after, entity)


def _stored(scope: Scope, plan: WritePlan, *, mapped: bool) -> tuple[Key, Any]:
    """The key of the new row, and its mapped object, if there is one."""
    session, values = scope.session, new_values(scope, plan)
    insertion = scope.records.insertions.find(plan.resource.model, session)
    if insertion is not None and not mapped:
        with entities.refusals_told(plan):
            parameters = insertion.parameters(values)
            if parameters is not None:
                return kept(plan, insert_one(session, insertion, parameters)), None
    entity = entities.new(plan, values)
    session.add(entity)
    with no_row_passed_over(session, type(entity), pointer=plan.pointer):
        entities.flush(session, plan)
    entities.settle(entity, values)
    return tuple(class_mapper(type(entity)).primary_key_from_instance(entity)), entity


def kept(plan: WritePlan, key: Key) -> Key:
    """Raises Conflict for a new row that has none."""
    if not key or None in key:
        raise not_kept(plan.pointer)
    return key


def owner_of(scope: Scope, plan: WritePlan) -> Record | None:
    """The row whose sub-collection is created in, if there is one to link to."""
    if plan.owner is None:
        return None
    row, relation = plan.owner
    if relation.links is None:
        found_row(scope, row, ())
        return None
    return found_row(scope, row, ("update",))


def _below(child: WritePlan, children: Children, key: Key) -> WritePlan:
    """Raises Invalid for a row that the server, or who sent it, sets to be elsewhere."""
    held = dict(zip(children.relation.remote, key, strict=True))
    for name, part in held.items():
        if child.values.get(name) in (None, part):
            continue
        if name in child.rights.policy.preset:
            raise invalid([moved_away(child.pointer)])
        raise invalid([of_another_place(child.pointer, name)])
    return replace(child, values={**child.values, **held})


def _as_created(scope: Scope, plan: WritePlan, key: Key) -> Record:
    wish = Wish(plan.rights, rules_of(plan.rights, ("read", "create")), plan.references)
    after = scope.records.look(scope.session, wish, key, scope.sight.actor)
    return checked(scope, plan, after)


def checked(scope: Scope, plan: WritePlan, after: Record | None) -> Record:
    """The row as it is now, if it is one that the actor may have made of it."""
    action: Action = "create" if plan.action == "create" else "update"
    if after is None:
        raise not_kept(plan.pointer)
    # First, or a rule over the row referred to would tell a hidden one from one that is absent.
    check_references(after.dangling, plan.pointer)
    if not after.granted[action]:
        raise refusal(scope.sight, plan.rights, action)
    if action == "create":
        check_masks(plan, after)
    return after


def _update(scope: Scope, plan: WritePlan) -> Change:
    before = found_row(scope, Row(plan.rights, plan.key), ("update",), entity=True)
    check_match(plan, before)
    check_masks(plan, before)
    scope.remember(plan)
    watched = watched_at_change(scope, plan.resource, plan.values, [identity(before)])
    changed = entities.change(plan, before, plan.pointer)
    if changed:
        keep_up(scope, plan, before.entity)
        entities.flush(scope.session, plan)
        after = _as_updated(scope, plan, changed)
        tell(scope, plan.rights, "updated", before, after)
        tell_what_changed(scope, watched)
    else:
        after = before
    put_links(scope, ends_of(plan, before, plan.key))
    return Change(plan, before, after, before.entity)


def _as_updated(scope: Scope, plan: WritePlan, changed: frozenset[str]) -> Record:
    """The row as it is now must be one that the actor may change, or it has been moved away."""
    references = tuple(each for each in plan.references if each.is_among(changed))
    wish = Wish(plan.rights, rules_of(plan.rights, ("read", "update")), references)
    after = scope.records.look(scope.session, wish, plan.key, scope.sight.actor)
    return checked(scope, plan, after)


def _delete(scope: Scope, plan: WritePlan) -> Change:
    before = found_row(scope, Row(plan.rights, plan.key), ("delete",), entity=True)
    check_match(plan, before)
    delete_and_tell(scope, plan, [before])
    return Change(plan, before, None)


def delete_and_tell(scope: Scope, plan: WritePlan, rows: Sequence[Record]) -> None:
    """Rows that are only marked as deleted take none along."""
    scope.remember(plan)
    taking_along = plan.resource.upkeep.deleted_at is None
    keys = [identity(row) for row in rows] if taking_along else []
    watched = watched_rows(scope, plan.resource, keys)
    remove(scope, plan, rows)
    tell_what_changed(scope, watched)
    for row in rows:
        tell(scope, plan.rights, "deleted", row, None)


def identity(row: Record) -> Key:
    """Of a row whose mapped object was asked for."""
    return tuple(class_mapper(type(row.entity)).primary_key_from_instance(row.entity))


def _change_link(scope: Scope, plan: WritePlan) -> Change:
    assert plan.owner is not None  # plan.write makes none without
    near_row, relation = plan.owner
    near = found_row(scope, near_row, ("update",), entity=True)
    check_match(plan, near)
    far_end(scope, near_row.rights, relation, Row(plan.rights, plan.key))
    change = make_link if plan.action == "link" else take_link
    change(scope, near, near_row.key, relation, plan.key)
    return Change(plan, near, near)
