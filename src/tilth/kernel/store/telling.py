"""A change → the event that tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tilth.kernel.events.event import Event, Verb, event_type
from tilth.kernel.plan.change import Key
from tilth.kernel.policy.access import Rights
from tilth.kernel.schema.resource import Relation
from tilth.kernel.store.record import Record
from tilth.kernel.store.scope import Scope, Seen


def tell(
    scope: Scope, rights: Rights, verb: Verb, before: Record | None, after: Record | None
) -> None:
    row = after or before
    assert row is not None
    images = [None if each is None else each.values for each in (before, after)]
    event = _event(scope, rights, verb, row.key, *images)
    scope.events.append(event)
    if row.granted.get("read"):
        scope.seen.append(Seen(event, None if after is None else after.shown))


def tell_link(scope: Scope, near: Record, relation: Relation, verb: Verb, far: Key) -> None:
    """The key at the far end, by the name of the relation."""
    held = {relation.name: [str(part) for part in far]}
    images = [None, held] if verb == "linked" else [held, None]
    event = _event(scope, near.rights, verb, near.key, *images)
    scope.events.append(event)
    if near.granted.get("read"):
        scope.seen.append(Seen(event, held))


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
