"""Many rows at once: statements grow with hundreds of rows, not with each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import class_mapper

from tilth.errors import Conflict, Fault, Invalid, invalid
from tilth.kernel.plan.before import prepared
from tilth.kernel.plan.change import Key, Reference, WritePlan
from tilth.kernel.plan.many import ManyPlan
from tilth.kernel.plan.write import refusal
from tilth.kernel.policy.policy import Action
from tilth.kernel.store import entities
from tilth.kernel.store.apply import Change, apply, checked, delete_and_tell, identity, owner_of
from tilth.kernel.store.cascades import tell_what_changed, watched_at_change
from tilth.kernel.store.deletion import is_tree
from tilth.kernel.store.insertion import insert_many
from tilth.kernel.store.integrity import is_raised_by_a_trigger, not_kept
from tilth.kernel.store.linking import ends_of, put_links
from tilth.kernel.store.outbox import write_events
from tilth.kernel.store.passed_over import no_row_passed_over
from tilth.kernel.store.record import NamedBinds, Record, Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.source import replaced, source_of
from tilth.kernel.store.telling import tell
from tilth.kernel.store.upkeep import keep_up, new_values
from tilth.kernel.store.validation import faults_of, found_at
from tilth.kernel.store.verdicts import check_masks, rules_of
from tilth.kernel.store.where import sql_of

ROWS_OF_A_PART = 500
"""Of a set that is changed: what is held in memory at once."""


def create_many(scope: Scope, plans: Sequence[WritePlan], *, mapped: bool = False) -> list[Change]:
    """New rows of one resource, all in the same place. Raises what creating one raises.

    What the model refuses is told of all rows at once, what the database refuses of the first.
    """
    if len(plans) == 1 or not all(map(_is_flat, plans)):
        return [apply(scope, plan, mapped=mapped) for plan in plans]
    scope.remember(*plans)
    owner_of(scope, plans[0])
    store = None if mapped else _insertion(scope, plans)
    try:
        with scope.session.begin_nested():
            keys, made = store() if store is not None else _flushed(scope, plans)
            if len(keys) < len(plans):
                raise not_kept("")
    except (StatementError, Conflict) as exc:
        if isinstance(exc, StatementError) and not _is_refusal(exc):
            raise
        # One by one, the database says which row it was.
        return [apply(scope, plan, mapped=mapped) for plan in plans]
    return _as_created(scope, plans, keys, made)


Stored = tuple[list[Key], Sequence[Any]]
"""The keys of new rows, in order, and their mapped objects: None each, where there are none."""


def _insertion(scope: Scope, plans: Sequence[WritePlan]) -> Callable[[], Stored] | None:
    """None when the rows have to be made as mapped objects, or not all have the same columns."""
    insertion = scope.records.insertions.find(plans[0].resource.model, scope.session)
    if insertion is None:
        return None
    rows: list[Mapping[str, Any]] = []
    faults: list[Fault] = []
    for plan in plans:
        try:
            row = insertion.parameters(new_values(scope, plan))
        except Invalid as exc:
            faults += [replace(e, pointer=plan.pointer + e.pointer) for e in exc.faults]
            continue
        if row is None:
            return None
        rows.append(row)
    if faults:
        raise invalid(faults)
    if any(row.keys() != rows[0].keys() for row in rows):
        return None
    return lambda: (insert_many(scope.session, insertion, rows), [None] * len(rows))


def _flushed(scope: Scope, plans: Sequence[WritePlan]) -> Stored:
    made = _made(scope, plans)
    places = {id(each): plan.pointer for each, plan in zip(made, plans, strict=True)}
    counted = no_row_passed_over(scope.session, plans[0].resource.model)
    with found_at(scope.session, places), counted:
        scope.session.add_all(made)
        scope.session.flush()
    for each, plan in zip(made, plans, strict=True):
        entities.settle(each, plan.values)
    mapper = class_mapper(type(made[0]))
    return [tuple(mapper.primary_key_from_instance(each)) for each in made], made


def _is_refusal(exc: StatementError) -> bool:
    """Of a value or a row, not a collision with another transaction: that is for the whole unit."""
    of_database = isinstance(exc, IntegrityError | DataError) or is_raised_by_a_trigger(exc)
    return of_database or not isinstance(exc, DBAPIError)


def _is_flat(plan: WritePlan) -> bool:
    links = plan.owner[1].links if plan.owner is not None else None
    return not plan.children and not plan.links and links is None


def _made(scope: Scope, plans: Sequence[WritePlan]) -> list[Any]:
    made: list[Any] = []
    faults: list[Fault] = []
    for plan in plans:
        try:
            made.append(entities.new(plan, new_values(scope, plan)))
        except Invalid as exc:
            faults.extend(exc.faults)
            made.append(None)
    if faults:
        # Those that could be made have what the flush would have told.
        raise invalid([*faults, *_faults_of_made(made, plans)])
    return made


def _faults_of_made(made: Sequence[Any], plans: Sequence[WritePlan]) -> Iterator[Fault]:
    for entity, plan in zip(made, plans, strict=True):
        for fault in faults_of(entity) if entity is not None else ():
            yield replace(fault, pointer=plan.pointer + fault.pointer)


def _as_created(
    scope: Scope, plans: Sequence[WritePlan], keys: Sequence[Key], made: Sequence[Any]
) -> list[Change]:
    rights = plans[0].rights
    chosen = {id(each.to_one): each for plan in plans for each in plan.references}
    wish = Wish(rights, rules_of(rights, ("read", "create")), tuple(chosen.values()))
    found = scope.records.look_many(scope.session, wish, keys, scope.sight.actor)
    changes: list[Change] = []
    for plan, key, entity in zip(plans, keys, made, strict=True):
        # A column may give a key back in another spelling than it was given.
        after = found.get(key) or scope.records.look(scope.session, wish, key, scope.sight.actor)
        after = checked(scope, plan, _asked_by(plan, after))
        tell(scope, rights, "created", None, after)
        changes.append(Change(plan, None, after, entity))
    return changes


def _asked_by(plan: WritePlan, after: Record | None) -> Record | None:
    """With the references that this row's plan asks for, which other rows' may not."""
    if after is None:
        return None
    asked = {id(each.to_one) for each in plan.references}
    dangling: tuple[Reference, ...] = tuple(e for e in after.dangling if id(e.to_one) in asked)
    return replace(after, dangling=dangling)


def change_many(scope: Scope, plan: ManyPlan) -> list[Change]:
    """Every row that matches is changed, or none. Raises Conflict when more do than may."""
    return change_found(scope, plan.each, lambda: _matching_keys(scope, plan))


def change_found(
    scope: Scope, each: WritePlan, matching_keys: Callable[[], list[Key]]
) -> list[Change]:
    """matching_keys: of the rows as they are now; asked again once they are locked."""
    rows = _matching_rows(scope, each, matching_keys)
    hooks, actor = scope.sight.hooks, scope.sight.actor
    plans = {key: prepared(replace(each, key=key), hooks, actor) for key in rows}
    for key, row in rows.items():
        check_masks(plans[key], row)
    if each.action == "delete":
        delete_and_tell(scope, each, list(rows.values()))
        return [Change(plans[key], row, None) for key, row in rows.items()]
    changes = _updated(scope, each, plans, rows)
    put_links(scope, (e for key, row in rows.items() for e in ends_of(plans[key], row, key)))
    return changes


def change_in_parts(
    scope: Scope,
    each: WritePlan,
    matching_keys: Callable[[], list[Key]],
    done: Callable[[Sequence[Change]], None],
) -> int:
    """Every row that matches is changed, or none, some at a time in memory; answers how many.

    Which they are is known, and they are locked, before the first is changed: what is changed does
    not decide it. done: told of each part, whose events are written then.
    """
    keys = matching_keys()
    if scope.session.get_bind().dialect.name != "sqlite":
        locked = scope.records.lock_many(scope.session, each.rights, keys)
        keys = [key for key in matching_keys() if key in locked]
    size = len(keys) if _goes_whole(each) else ROWS_OF_A_PART
    for start in range(0, len(keys), max(size, 1)):
        part = keys[start : start + size]
        told, seen = len(scope.events), len(scope.seen)
        done(change_found(scope, each, partial(list, part)))
        # A savepoint around this that is rolled back takes the written ones along.
        write_events(scope.session, scope.outbox, scope.events[told:])
        del scope.events[told:], scope.seen[seen:]
    return len(keys)


def _goes_whole(each: WritePlan) -> bool:
    """Rows of a tree are deleted together: those above would still be referred to."""
    is_kept = each.resource.upkeep.deleted_at is not None
    return each.action == "delete" and not is_kept and is_tree(each.resource.model)


def _updated(
    scope: Scope, each: WritePlan, plans: Mapping[Key, WritePlan], rows: Mapping[Key, Record]
) -> list[Change]:
    names = {name for plan in plans.values() for name in plan.values}
    scope.remember(each)
    keys = [identity(row) for row in rows.values()]
    watched = watched_at_change(scope, each.resource, names, keys)
    names_of = {key: entities.change(plans[key], row) for key, row in rows.items()}
    changed = {key: names for key, names in names_of.items() if names}
    for key in changed:
        keep_up(scope, each, rows[key].entity)
    if changed:
        entities.flush(scope.session, each)
    wish = Wish(each.rights, rules_of(each.rights, ("read", "update")), each.references)
    found = scope.records.look_many(scope.session, wish, list(changed), scope.sight.actor)
    changes: list[Change] = []
    for key, before in rows.items():
        after = before
        if key in changed:
            after = checked(scope, each, _changed_to(changed[key], found.get(key)))
            tell(scope, each.rights, "updated", before, after)
        changes.append(Change(plans[key], before, after))
    tell_what_changed(scope, watched)
    return changes


def _changed_to(names: frozenset[str], after: Record | None) -> Record | None:
    """With the references that this row did not have before."""
    if after is None:
        return None
    return replace(after, dangling=tuple(e for e in after.dangling if e.is_among(names)))


def _matching_rows(
    scope: Scope, each: WritePlan, matching_keys: Callable[[], list[Key]]
) -> dict[Key, Record]:
    """Locked, and matching still: they may have changed before they were."""
    action: Action = "delete" if each.action == "delete" else "update"
    rights = each.rights
    wish = Wish(rights, rules_of(rights, ("read", action)), entity=True)
    keys = matching_keys()
    rows = scope.records.look_many(scope.session, wish, keys, scope.sight.actor)
    if scope.session.get_bind().dialect.name != "sqlite":
        keys = matching_keys()
    rows = {key: rows[key] for key in keys if key in rows}
    for row in rows.values():
        if not row.granted[action]:
            raise refusal(scope.sight, rights, action)
    return rows


def _matching_keys(scope: Scope, plan: ManyPlan) -> list[Key]:
    access = plan.each.rights.access
    binds = NamedBinds(scope.records.dialect)
    source = source_of(access, binds)
    fields = access.resource.fields
    key = [replaced(fields[name].expression, source.find) for name in access.resource.key]
    asked = select(*key).select_from(source.rows).where(sql_of(plan.where, source, binds))
    values = {**binds.values_for(scope.sight.actor), **binds.values_in(plan.values)}
    found = scope.session.execute(asked.order_by(*key).limit(plan.most + 1), values).all()
    if len(found) > plan.most:
        raise Conflict(
            f"More than {plan.most:,} rows match, the most that may be affected; none was changed.",
            code="too_many_rows",
        )
    return [tuple(row) for row in found]
