"""WritePlan → Change, inside a unit of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy.orm import class_mapper

from tilth.errors import Fault, PreconditionFailed, invalid
from tilth.kernel.events.event import Event, Verb, event_type
from tilth.kernel.plan.body import member
from tilth.kernel.plan.change import Children, Key, Links, Reference, Row, WritePlan
from tilth.kernel.plan.read import not_found
from tilth.kernel.plan.write import refusal
from tilth.kernel.policy.access import Rights
from tilth.kernel.policy.fold import Folded
from tilth.kernel.policy.policy import Action
from tilth.kernel.schema.resource import Relation
from tilth.kernel.store import entities, links
from tilth.kernel.store.cascades import taken_along
from tilth.kernel.store.integrity import no_such_row
from tilth.kernel.store.outbox import write_events
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.upkeep import keep_up, new_entity, remove

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Change:
    """What one plan has done. before, after: None where there is no row."""

    plan: WritePlan
    before: Record | None
    after: Record | None


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
    write_events(scope.session, scope.outbox, scope.events[told_before:])
    return result


def apply(scope: Scope, plan: WritePlan) -> Change:
    """One change, its events still to be written."""
    match plan.action:
        case "create":
            return _create(scope, plan)
        case "update":
            return _update(scope, plan)
        case "delete":
            return _delete(scope, plan)
        case "link" | "unlink":
            return _change_link(scope, plan)


def _create(scope: Scope, plan: WritePlan) -> Change:
    owner = owner_of(scope, plan)
    entity = new_entity(scope, plan)
    scope.session.add(entity)
    entities.flush(scope.session, plan, entity)
    key = tuple(class_mapper(type(entity)).primary_key_from_instance(entity))
    after = _as_created(scope, plan, key)
    tell(scope, plan.rights, "created", None, after)
    for each in plan.links:
        _add_links(scope, after, key, each, plan.pointer)
    if owner is not None:
        _link_to_owner(scope, plan, owner, key)
    for children in plan.children:
        for child in children.plans:
            _create(scope, _below(child, children, key))
    return Change(plan, None, after)


def owner_of(scope: Scope, plan: WritePlan) -> Record | None:
    """The row whose sub-collection is created in, if there is one to link to."""
    if plan.owner is None:
        return None
    row, relation = plan.owner
    if relation.links is None:
        _found(scope, row, ())
        return None
    return _found(scope, row, ("update",))


def _below(child: WritePlan, children: Children, key: Key) -> WritePlan:
    held = dict(zip(children.relation.remote, key, strict=True))
    return replace(child, values={**child.values, **held})


def _as_created(scope: Scope, plan: WritePlan, key: Key) -> Record:
    wish = Wish(plan.rights, rules_of(plan.rights, ("read", "create")), plan.references)
    after = scope.records.look(scope.session, wish, key, scope.sight.actor)
    return checked(scope, plan, after)


def checked(scope: Scope, plan: WritePlan, after: Record | None) -> Record:
    """The row as it is now, if it is one that the actor may have made of it."""
    action: Action = "create" if plan.action == "create" else "update"
    if after is None or not after.granted[action]:
        raise refusal(scope.sight, plan.rights, action)
    _check_references(after.dangling, plan.pointer)
    if action == "create":
        check_masks(plan, after)
    return after


def _update(scope: Scope, plan: WritePlan) -> Change:
    before = _found(scope, Row(plan.rights, plan.key), ("update",), entity=True)
    _check_match(plan, before)
    check_masks(plan, before)
    if entities.assign(before.entity, plan.values, plan.pointer):
        keep_up(scope, plan, before.entity)
        entities.flush(scope.session, plan, before.entity)
        after = _as_updated(scope, plan)
        tell(scope, plan.rights, "updated", before, after)
    else:
        after = before
    for each in plan.links:
        if each.instead:
            _remove_others(scope, before, plan.key, each)
        _add_links(scope, before, plan.key, each, plan.pointer)
    return Change(plan, before, after)


def _as_updated(scope: Scope, plan: WritePlan) -> Record:
    """The row as it is now must be one that the actor may change, or it has been moved away."""
    wish = Wish(plan.rights, rules_of(plan.rights, ("read", "update")), plan.references)
    after = scope.records.look(scope.session, wish, plan.key, scope.sight.actor)
    return checked(scope, plan, after)


def _delete(scope: Scope, plan: WritePlan) -> Change:
    before = _found(scope, Row(plan.rights, plan.key), ("delete",), entity=True)
    _check_match(plan, before)
    delete_and_tell(scope, plan, [before])
    return Change(plan, before, None)


def delete_and_tell(scope: Scope, plan: WritePlan, rows: Sequence[Record]) -> None:
    """Rows that are only marked as deleted take none along."""
    for row in rows if plan.resource.upkeep.deleted_at is None else ():
        for each in taken_along(scope, row.entity):
            tell(scope, each.rights, "deleted", each, None)
    remove(scope, plan, rows)
    for row in rows:
        tell(scope, plan.rights, "deleted", row, None)


def _change_link(scope: Scope, plan: WritePlan) -> Change:
    assert plan.owner is not None  # plan.write makes none without
    near_row, relation = plan.owner
    near = _found(scope, near_row, ("update",), entity=True)
    _check_match(plan, near)
    _far_end(scope, near_row.rights, relation, Row(plan.rights, plan.key))
    change = _linked if plan.action == "link" else _unlinked
    change(scope, near, near_row.key, relation, plan.key)
    return Change(plan, near, near)


def _far_end(scope: Scope, near: Rights, relation: Relation, row: Row) -> Record:
    """Raises NotFound for a row the actor may not read, Forbidden for one that may not be linked."""
    rule = near.links.get(relation.name, row.rights.rules["update"])
    found = _look(scope, row, (("read", row.rights.rules["read"]), ("update", rule)))
    if not found.granted["update"]:
        raise refusal(scope.sight, row.rights, "update")
    return found


def _link_to_owner(scope: Scope, plan: WritePlan, owner: Record, key: Key) -> None:
    assert plan.owner is not None
    row, relation = plan.owner
    _far_end(scope, row.rights, relation, Row(plan.rights, key))
    _linked(scope, owner, row.key, relation, key)


def _add_links(scope: Scope, near: Record, key: Key, wanted: Links, pointer: str) -> None:
    for place, row in enumerate(wanted.targets):
        rule = near.rights.links.get(wanted.relation.name, row.rights.rules["update"])
        rules = (("read", row.rights.rules["read"]), ("update", rule))
        found = scope.records.look(
            scope.session, Wish(row.rights, rules), row.key, scope.sight.actor
        )
        if found is None or not found.granted["read"]:
            raise no_such_row([f"{pointer}{member(wanted.relation.name)}/{place}"])
        if not found.granted["update"]:
            raise refusal(scope.sight, row.rights, "update")
        _linked(scope, near, key, wanted.relation, row.key)


def _remove_others(scope: Scope, near: Record, key: Key, wanted: Links) -> None:
    """A link to a row that the actor may not see stays: nobody asked for it to go."""
    assert wanted.relation.links is not None
    kept = {row.key for row in wanted.targets}
    rights = scope.sight.rights(wanted.relation.target)
    rule = near.rights.links.get(wanted.relation.name, rights.rules["update"])
    rules = (("read", rights.rules["read"]), ("update", rule))
    for far in links.linked_keys(scope.session, wanted.relation.links, key):
        if far in kept:
            continue
        found = scope.records.look(scope.session, Wish(rights, rules), far, scope.sight.actor)
        if found is None or not found.granted["read"]:
            continue
        if not found.granted["update"]:
            raise refusal(scope.sight, rights, "update")
        _unlinked(scope, near, key, wanted.relation, far)


def _linked(scope: Scope, near: Record, key: Key, relation: Relation, far: Key) -> None:
    assert relation.links is not None
    if links.link(scope.session, relation.links, key, far):
        _tell_link(scope, near, relation, "linked", far)


def _unlinked(scope: Scope, near: Record, key: Key, relation: Relation, far: Key) -> None:
    assert relation.links is not None
    if links.unlink(scope.session, relation.links, key, far):
        _tell_link(scope, near, relation, "unlinked", far)


def _found(scope: Scope, row: Row, actions: tuple[Action, ...], *, entity: bool = False) -> Record:
    """Raises NotFound for a row the actor may not read, Forbidden for one that may not be changed."""
    found = _look(scope, row, rules_of(row.rights, ("read", *actions)), entity=entity)
    for action in actions:
        if not found.granted[action]:
            raise refusal(scope.sight, row.rights, action)
    return found


def _look(
    scope: Scope, row: Row, rules: tuple[tuple[str, Folded], ...], *, entity: bool = False
) -> Record:
    wish = Wish(row.rights, rules, entity=entity)
    found = scope.records.look(scope.session, wish, row.key, scope.sight.actor)
    if found is None or not found.granted["read"]:
        raise not_found(row.rights.access)
    return found


def rules_of(rights: Rights, actions: tuple[Action, ...]) -> tuple[tuple[str, Folded], ...]:
    return tuple((action, rights.rules[action]) for action in actions)


def _check_match(plan: WritePlan, found: Record) -> None:
    if plan.if_match is None or "*" in plan.if_match or found.tag in plan.if_match:
        return
    raise PreconditionFailed(
        "The row has changed since it was read. Read it again, and repeat the change if it still "
        "makes sense.",
        headers={"ETag": f'"{found.tag}"'},
    )


def check_masks(plan: WritePlan, row: Record) -> None:
    """What the actor may not read on this row can be no secret to them if they may write it."""
    ours = plan.rights.policy.preset.keys() | plan.trusted
    sent = [name for name in plan.values if name in row.masked and name not in ours]
    if sent:
        raise invalid(
            [Fault(plan.pointer + member(name), "read_only", "Is read-only.") for name in sent]
        )


def _check_references(dangling: Sequence[Reference], pointer: str) -> None:
    if dangling:
        names = [name for each in dangling for name in each.relation.local]
        raise no_such_row([pointer + member(name) for name in names])


def tell(
    scope: Scope, rights: Rights, verb: Verb, before: Record | None, after: Record | None
) -> None:
    row = after or before
    assert row is not None
    images = [None if each is None else each.values for each in (before, after)]
    scope.events.append(_event(scope, rights, verb, row.key, *images))


def _tell_link(scope: Scope, near: Record, relation: Relation, verb: Verb, far: Key) -> None:
    """The key at the far end, by the name of the relation."""
    held = {relation.name: [str(part) for part in far]}
    images = [None, held] if verb == "linked" else [held, None]
    scope.events.append(_event(scope, near.rights, verb, near.key, *images))


def _event(
    scope: Scope,
    rights: Rights,
    verb: Verb,
    key: tuple[str, ...],
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> Event:
    resource = rights.access.resource
    return Event(
        id=scope.new_id(),
        type=event_type(resource, verb),
        resource=resource.name,
        key=key,
        actor=scope.sight.actor.id,
        at=scope.now(),
        before=before,
        after=after,
        request_id=scope.request_id,
        reason=scope.reason,
    )
