"""WriteIntent + Schema + Policy + Actor → WritePlan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tilth.errors import Fault, Forbidden, NotFound, Unauthenticated, invalid
from tilth.kernel.plan.before import prepared
from tilth.kernel.plan.body import (
    Reading,
    is_needed_by_put,
    member,
    plain_default,
    read_body,
    writable,
)
from tilth.kernel.plan.change import Action, Key, Reference, Row, WritePlan
from tilth.kernel.plan.intent import WriteIntent
from tilth.kernel.plan.read import key_values
from tilth.kernel.plan.sight import Sight, entered
from tilth.kernel.plan.size import Size
from tilth.kernel.policy.access import Rights
from tilth.kernel.policy.policy import Action as PolicyAction
from tilth.kernel.policy.presets import preset_values
from tilth.kernel.schema.resource import Field, Relation

CHILD_DEPTH = 4
"""Levels of rows created below one another in a single body."""


def plan_write(intent: WriteIntent, sight: Sight) -> WritePlan:
    """Look every name up as the actor may write it and turn every value into its column's.

    What depends on rows (is it there, may this one be changed, is the reference good) is in the
    plan as a question for the store. The functions that the developer has put before it have been
    asked. Raises NotFound, Unauthenticated, Forbidden, and Invalid with every fault of the body.
    """
    return prepared(_planned(intent, sight), sight.hooks, sight.actor)


def _planned(intent: WriteIntent, sight: Sight) -> WritePlan:
    if intent.action == "create":
        return _plan_create(intent, sight)
    access = entered(sight, intent.resource)
    row = Row(sight.rights(intent.resource), tuple(key_values(access, intent.key or ())))
    if intent.action in ("link", "unlink"):
        return _plan_link(intent, sight, row)
    if intent.action == "delete":
        permitted(sight, row.rights, "delete")
        return _conditional(WritePlan("delete", row.rights, row.key), intent)
    permitted(sight, row.rights, "update")
    return plan_update(intent, sight, row)


def _conditional(plan: WritePlan, intent: WriteIntent) -> WritePlan:
    return replace(plan, if_match=intent.if_match, if_none_match=intent.if_none_match)


def permitted(sight: Sight, rights: Rights, action: PolicyAction) -> None:
    """Raises Forbidden or Unauthenticated when there is no row for which the actor may."""
    if not rights.may(action):
        raise refusal(sight, rights, action)


def refusal(sight: Sight, rights: Rights, action: PolicyAction) -> Forbidden | Unauthenticated:
    name = rights.access.resource.name
    if sight.actor.is_signed_in:
        return Forbidden(f"You may not {action} {name}.")
    return Unauthenticated(f"Sign in to {action} {name}.")


def _plan_create(intent: WriteIntent, sight: Sight) -> WritePlan:
    if intent.relation is None:
        if intent.resource not in sight.schema:
            raise NotFound(f"There is no resource {intent.resource!r} here.")
        rights = sight.rights(intent.resource)
        permitted(sight, rights, "create")
        return _checked(_new_row(sight, rights, intent.body, _place(intent, {})))
    access = entered(sight, intent.resource)
    owner = Row(sight.rights(intent.resource), tuple(key_values(access, intent.key or ())))
    relation = _writable_collection(sight, owner, intent.relation)
    rights = sight.rights(relation.target)
    permitted(sight, rights, "create")
    if relation.linkable is not None:
        permitted(sight, owner.rights, "update")
    given = dict(zip(relation.remote, owner.key, strict=True)) if relation.remote else {}
    made = _checked(_new_row(sight, rights, intent.body, _place(intent, given)))
    return replace(made, owner=(owner, relation))


def _writable_collection(sight: Sight, owner: Row, name: str) -> Relation:
    relation = dict(sight.relations(owner.rights.access)).get(name)
    if relation is None or not relation.many or not (relation.remote or relation.linkable):
        resource = owner.rights.access.resource.name
        raise NotFound(f"{resource} has no collection {name!r} to write to.")
    return relation


def _checked(made: WritePlan | list[Fault]) -> WritePlan:
    if isinstance(made, WritePlan):
        return made
    raise invalid(made)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new row is described, and what follows from that.

    given: values of fields, None where they are known only when the row above is stored.
    depth: levels of rows that may be below. size: of the whole request.
    """

    pointer: str
    given: Mapping[str, Any]
    depth: int
    size: Size

    def below(self, pointer: str, relation: Relation) -> Place:
        return Place(pointer, dict.fromkeys(relation.remote), self.depth - 1, self.size)


def _place(intent: WriteIntent, given: Mapping[str, Any]) -> Place:
    return Place(intent.pointer, given, CHILD_DEPTH, _size(intent))


def _size(intent: WriteIntent) -> Size:
    return intent.size or Size()


def _new_row(sight: Sight, rights: Rights, body: Any, place: Place) -> WritePlan | list[Fault]:
    def create(
        rights: Rights, relation: Relation, body: Any, pointer: str
    ) -> WritePlan | list[Fault]:
        if place.depth == 0:
            detail = f"Rows can be created {CHILD_DEPTH} levels below another, no deeper."
            return [Fault(pointer, "too_deep", detail)]
        permitted(sight, rights, "create")
        return _new_row(sight, rights, body, place.below(pointer, relation))

    pointer, given = place.pointer, place.given
    place.size.add_row()
    reading = Reading(sight, rights, pointer, creating=True, size=place.size)
    if not isinstance(body, dict):
        return [Fault(pointer, "bad_value", "Expected an object.")]
    read_body(reading, body, create)
    references = tuple(_references(sight, rights, reading.values))
    preset = preset_values(rights.policy, rights.access.resource, sight.actor)
    _check_presets(sight, rights, preset)
    reading.faults += _conflicts(reading.values, given, pointer)
    reading.faults += _not_here(rights, given, preset, pointer)
    known = {n: part for n, part in given.items() if part is not None or n not in reading.values}
    values = {**reading.values, **known, **preset}
    reading.faults += _missing(writable(rights, creating=True), values, body, pointer)
    if reading.faults:
        return reading.faults
    return WritePlan(
        "create",
        rights,
        values=values,
        references=references,
        links=tuple(reading.links),
        children=tuple(reading.children),
        pointer=pointer,
    )


def _check_presets(sight: Sight, rights: Rights, preset: Mapping[str, Any]) -> None:
    """A row that must be somebody's is not created by nobody in particular."""
    fields = rights.access.resource.fields
    if any(value is None and not fields[name].nullable for name, value in preset.items()):
        raise refusal(sight, rights, "create")


def _conflicts(sent: Mapping[str, Any], given: Mapping[str, Any], pointer: str) -> Iterator[Fault]:
    for name in sent.keys() & given.keys():
        # None: not known before the row above is stored, which asks then.
        if given[name] is not None and sent[name] != given[name]:
            yield of_another_place(pointer, name)


def _not_here(
    rights: Rights, given: Mapping[str, Any], preset: Mapping[str, Any], pointer: str
) -> Iterator[Fault]:
    """Fields that nobody may give a value are given none by the place of a row either."""
    for name in given:
        if name in rights.policy.read_only:
            yield Fault(pointer, "read_only", f"{name} is read-only, and follows from the address.")
        elif name in preset and given[name] is not None and given[name] != preset[name]:
            yield moved_away(pointer)


def of_another_place(pointer: str, name: str) -> Fault:
    """Of a field that was sent, with something else than the place of the row says."""
    detail = "Follows from where the row is created, and the value is another."
    return Fault(pointer + member(name), "conflict", detail)


def moved_away(pointer: str) -> Fault:
    """Of a field that the server sets, to something else than the place of the row says."""
    detail = "The server puts this row elsewhere: create it there."
    return Fault(pointer, "conflict", detail)


def _missing(
    fields: Iterable[tuple[str, Field]],
    values: Mapping[str, Any],
    sent: Mapping[str, Any],
    pointer: str,
) -> Iterator[Fault]:
    """A member that was sent and refused has its own fault."""
    for name, field in fields:
        if name not in values and name not in sent and field.is_required:
            yield Fault(pointer + member(name), "required", "Is required.")


def _references(sight: Sight, rights: Rights, values: Mapping[str, Any]) -> Iterator[Reference]:
    for each in rights.access.resource.references:
        if any(values.get(name) is not None for name in each.local):
            yield Reference(each, tuple(sight.access(way.target) for way in each.ways))


def plan_update(intent: WriteIntent, sight: Sight, row: Row) -> WritePlan:
    """The actor may update some rows at least. Raises Invalid."""
    reading = Reading(
        sight,
        row.rights,
        intent.pointer,
        creating=False,
        size=_size(intent),
        merges=intent.merges,
    )
    if not isinstance(intent.body, dict):
        raise invalid([Fault(intent.pointer, "bad_value", "Expected an object.")])
    read_body(reading, intent.body, _no_children)
    if intent.action == "replace":
        _fill_in(reading, intent.body)
    if reading.faults:
        raise invalid(reading.faults)
    plan = WritePlan(
        "update",
        row.rights,
        row.key,
        values=reading.values,
        references=tuple(_references(sight, row.rights, reading.values)),
        links=tuple(reading.links),
        pointer=intent.pointer,
        patches=frozenset(reading.patches),
    )
    return _conditional(plan, intent)


def _no_children(rights: Rights, relation: Relation, body: Any, pointer: str) -> list[Fault]:
    return [Fault(pointer, "not_writable", "Rows are created below a new row only.")]


def _fill_in(reading: Reading, sent: Mapping[str, Any]) -> None:
    """PUT replaces: what is not sent becomes what it is in a new row, null or its default.

    A field that is masked on some rows stays: the client may not have seen its value.
    """
    access = reading.rights.access
    for name, field in writable(reading.rights, creating=False):
        if name in reading.values or name in sent or name in access.masked:
            continue
        if is_needed_by_put(access, field):
            reading.fault(name, "required", "Is required: PUT replaces the whole row.")
        else:
            reading.values[name] = plain_default(field)


def _plan_link(intent: WriteIntent, sight: Sight, near: Row) -> WritePlan:
    action: Action = "link" if intent.action == "link" else "unlink"
    relation = dict(sight.relations(near.rights.access)).get(intent.relation or "")
    if relation is None or relation.linkable is None:
        resource = near.rights.access.resource.name
        raise NotFound(f"{resource} has no relation {intent.relation!r} to link along.")
    permitted(sight, near.rights, "update")
    far = sight.rights(relation.target)
    key: Key = tuple(key_values(far.access, intent.other or ()))
    return _conditional(WritePlan(action, far, key, owner=(near, relation)), intent)
