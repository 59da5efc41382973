"""What is changed through a session itself is told of too, and all events are written at its commit.

Rows are compared as they are stored before and after a flush, so that what the database and the
mapping change along is told like the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, SessionTransaction, class_mapper, sessionmaker

from tilth.kernel.events.event import Verb
from tilth.kernel.plan.change import Key
from tilth.kernel.plan.given import exposed_as
from tilth.kernel.schema.resource import Relation, Resource
from tilth.kernel.store.cascades import watched_at_change, watched_rows
from tilth.kernel.store.outbox import write_events
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.telling import tell, tell_link
from tilth.kernel.store.verdicts import rules_of

WORK = "tilth_work"
"""In a session's info: the unit of work it belongs to."""

BY_PLAN = "tilth_by_plan"
"""In a session's info while a planned change is made, which tells of itself."""

OWN_WORK = "tilth_own_work"
"""In a session's info while rows are deleted or flushed."""

THROUGH_SESSION = "through scope.session"
"""Why no policy was asked."""

_FOUND = "tilth_found"
_MARKS = "tilth_marks"

Rows = dict[str, dict[Key, Record]]
"""Resource → key → the row."""


def keep_events(sessions: sessionmaker[Any]) -> None:
    event.listen(sessions, "before_flush", _look_before)
    event.listen(sessions, "after_flush", _tell_after)
    event.listen(sessions, "before_commit", _write)
    event.listen(sessions, "after_transaction_create", _mark)
    event.listen(sessions, "after_soft_rollback", _forget)


@contextmanager
def by_plan(session: Session) -> Iterator[None]:
    with _flagged(session, BY_PLAN):
        yield


@contextmanager
def own_work(session: Session) -> Iterator[None]:
    with _flagged(session, OWN_WORK):
        yield


@contextmanager
def _flagged(session: Session, name: str) -> Iterator[None]:
    outside, session.info[name] = session.info.get(name, False), True
    try:
        yield
    finally:
        session.info[name] = outside


def is_own_work(session: Session) -> bool:
    """What is loaded now, the session itself wants, to do as it was told."""
    return bool(session.info.get(BY_PLAN) or session.info.get(OWN_WORK))


@dataclass(slots=True)
class Found:
    """What a flush is about to change. made: the new objects of each resource."""

    before: Rows = field(default_factory=dict)
    made: dict[str, list[Any]] = field(default_factory=dict)


def _look_before(session: Session, context: object, instances: object) -> None:
    scope: Scope = session.info[WORK]
    if session.info.get(BY_PLAN) or not scope.outbox.is_kept:
        return
    found = Found()
    for each in session.new:
        resource = _resource_of(scope, each)
        if resource is not None:
            found.made.setdefault(resource.name, []).append(each)
    changed = [each for each in session.dirty if session.is_modified(each)]
    for name, keys in _keys_of(scope, changed).items():
        found.before[name] = _looked_at(scope, name, keys, lock=True)
    for other, rows in _following(scope, changed):
        _add(found.before, other, rows)
    for name, keys in _keys_of(scope, session.deleted).items():
        _add(found.before, name, _looked_at(scope, name, keys, lock=True))
        for other, rows in watched_rows(scope, scope.sight.schema[name], keys).found:
            _add(found.before, other, rows)
    if found.before or found.made:
        session.info[_FOUND] = found


def _following(scope: Scope, changed: Iterable[Any]) -> Iterator[tuple[str, dict[Key, Record]]]:
    """Rows that the database changes along."""
    for each in changed:
        state, resource = inspect(each), _resource_of(scope, each)
        if resource is not None and state.identity is not None:
            names = set(state.mapper.column_attrs.keys()) - state.unmodified
            yield from watched_at_change(scope, resource, names, [tuple(state.identity)]).found


def _add(before: Rows, name: str, rows: dict[Key, Record]) -> None:
    before[name] = {**rows, **before.get(name, {})}


def _resource_of(scope: Scope, entity: Any) -> Resource | None:
    """None for what is not exposed, and for what has no key to be told by."""
    found = exposed_as(scope.sight.schema, type(entity))
    return found if found is not None and found.key else None


def _keys_of(scope: Scope, entities: Any) -> dict[str, list[Key]]:
    """Of stored rows, by the key they are stored under."""
    keys: dict[str, list[Key]] = {}
    for each in entities:
        resource, identity = _resource_of(scope, each), inspect(each).identity
        if resource is not None and identity is not None:
            keys.setdefault(resource.name, []).append(tuple(identity))
    return keys


def _looked_at(
    scope: Scope, name: str, keys: list[Key], *, lock: bool = False
) -> dict[Key, Record]:
    """lock: they are about to be written, and what they hold until then is told."""
    rights = scope.sight.rights(name)
    wish = Wish(rights, rules_of(rights, ("read",)), lock=lock)
    return scope.records.look_many(scope.session, wish, keys, scope.sight.actor)


def _tell_after(session: Session, context: object) -> None:
    found: Found | None = session.info.pop(_FOUND, None)
    if found is None:
        return
    scope: Scope = session.info[WORK]
    outside, scope.reason = scope.reason, scope.reason or THROUGH_SESSION
    try:
        _tell_all(scope, found)
    finally:
        scope.reason = outside


def _tell_all(scope: Scope, found: Found) -> None:
    for name, entities in found.made.items():
        keys = [_key_of(each) for each in entities]
        for row in _looked_at(scope, name, keys).values():
            tell(scope, row.rights, "created", None, row)
    for name, rows in reversed(found.before.items()):
        after = _looked_at(scope, name, list(rows))
        for key, before in rows.items():
            now = after.get(key)
            if now is None or now.values != before.values:
                tell(scope, before.rights, "updated" if now else "deleted", before, now)
    _tell_links(scope)


def _key_of(entity: Any) -> Key:
    return tuple(class_mapper(type(entity)).primary_key_from_instance(entity))


def _tell_links(scope: Scope) -> None:
    """Of each pair once, although the relation may be known to both."""
    told: set[frozenset[Any]] = set()
    changed = [*scope.session.new, *scope.session.dirty]
    for each in changed:
        resource = _resource_of(scope, each)
        for relation in resource.relations.values() if resource is not None else ():
            if relation.links is not None:
                _tell_links_of(scope, each, relation, told)


def _tell_links_of(scope: Scope, entity: Any, relation: Relation, told: set[Any]) -> None:
    history = inspect(entity).attrs[relation.name].history
    verbs: tuple[tuple[Verb, Any], ...] = (("linked", history.added), ("unlinked", history.deleted))
    resource = _resource_of(scope, entity)
    assert resource is not None  # whose relation it is
    for verb, others in verbs:
        for other in others or ():
            pair = frozenset({id(entity), id(other)})
            if (verb, pair) not in told:
                told.add((verb, pair))
                near = _looked_at(scope, resource.name, [_key_of(entity)])
                for row in near.values():
                    tell_link(scope, row, relation, verb, _key_of(other))


def _write(session: Session) -> None:
    """With the changes they tell of, also where the developer's code commits by itself."""
    if session.in_nested_transaction():
        return
    session.flush()
    scope: Scope = session.info[WORK]
    write_events(session, scope.outbox, scope.events)
    scope.events.clear()
    scope.seen.clear()


def _mark(session: Session, transaction: SessionTransaction) -> None:
    """What has been told before a transaction, or a savepoint, began."""
    scope: Scope | None = session.info.get(WORK)
    if scope is not None:
        session.info.setdefault(_MARKS, {})[id(transaction)] = (len(scope.events), len(scope.seen))


def _forget(session: Session, transaction: SessionTransaction) -> None:
    """Events of what has been taken back would tell of nothing."""
    scope: Scope | None = session.info.get(WORK)
    # A flush that fails takes along the savepoint, or the transaction, that it is part of.
    while transaction.parent is not None and not transaction.nested:
        transaction = transaction.parent
    events, seen = session.info.get(_MARKS, {}).get(id(transaction), (0, 0))
    session.info.pop(_FOUND, None)
    if scope is not None:
        del scope.events[events:], scope.seen[seen:]
