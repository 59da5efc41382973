"""Links of a many-to-many relation, made and taken away where the actor may touch both ends."""

from __future__ import annotations

from tilth.kernel.plan.body import member
from tilth.kernel.plan.change import Key, Links, Row, WritePlan
from tilth.kernel.plan.write import refusal
from tilth.kernel.policy.access import Rights
from tilth.kernel.schema.resource import Relation
from tilth.kernel.store import links
from tilth.kernel.store.integrity import no_such_row
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.telling import tell_link
from tilth.kernel.store.verdicts import looked_up


def far_end(scope: Scope, near: Rights, relation: Relation, row: Row) -> Record:
    """Raises NotFound for a row the actor may not read, Forbidden for one that may not be linked."""
    rule = near.links.get(relation.name, row.rights.rules["update"])
    found = looked_up(scope, row, (("read", row.rights.rules["read"]), ("update", rule)))
    if not found.granted["update"]:
        raise refusal(scope.sight, row.rights, "update")
    return found


def link_to_owner(scope: Scope, plan: WritePlan, owner: Record, key: Key) -> None:
    assert plan.owner is not None
    row, relation = plan.owner
    far_end(scope, row.rights, relation, Row(plan.rights, key))
    make_link(scope, owner, row.key, relation, key)


def add_links(scope: Scope, near: Record, key: Key, wanted: Links, pointer: str) -> None:
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
        make_link(scope, near, key, wanted.relation, row.key)


def remove_others(scope: Scope, near: Record, key: Key, wanted: Links) -> None:
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
        take_link(scope, near, key, wanted.relation, far)


def make_link(scope: Scope, near: Record, key: Key, relation: Relation, far: Key) -> None:
    assert relation.links is not None
    if links.link(scope.session, relation.links, key, far):
        tell_link(scope, near, relation, "linked", far)


def take_link(scope: Scope, near: Record, key: Key, relation: Relation, far: Key) -> None:
    assert relation.links is not None
    if links.unlink(scope.session, relation.links, key, far):
        tell_link(scope, near, relation, "unlinked", far)
