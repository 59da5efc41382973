"""Links of many-to-many relations, made and taken away where the actor may touch both ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from tilth.errors import Conflict, Fault
from tilth.kernel.plan.body import member
from tilth.kernel.plan.change import Key, Links, Row, WritePlan
from tilth.kernel.plan.write import refusal
from tilth.kernel.policy.access import Rights
from tilth.kernel.schema.resource import LinkTable, Relation
from tilth.kernel.store import links
from tilth.kernel.store.integrity import broken_rule, kind_of, no_such_row
from tilth.kernel.store.links import Pair
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.telling import tell_link
from tilth.kernel.store.verdicts import looked_up


@dataclass(frozen=True, slots=True)
class End:
    """A row, and what it is to be linked to along one relation. pointer: where the row is described."""

    row: Record
    key: Key
    wanted: Links
    pointer: str


def ends_of(plan: WritePlan, row: Record, key: Key) -> Iterator[End]:
    return (End(row, key, each, plan.pointer) for each in plan.links)


def put_links(scope: Scope, ends: Iterable[End]) -> None:
    """A few statements for each relation, however many rows are linked. Raises Conflict, Forbidden."""
    by_relation: dict[int, list[End]] = {}
    for end in ends:
        by_relation.setdefault(id(end.wanted.relation), []).append(end)
    for group in by_relation.values():
        _remove_others(scope, [end for end in group if end.wanted.instead])
        _add(scope, group)


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


def make_link(scope: Scope, near: Record, key: Key, relation: Relation, far: Key) -> None:
    with _refusals_told(""):
        linked = links.link(scope.session, _table(relation), [(key, far)])
    for _ in linked:
        tell_link(scope, near, relation, "linked", far)


@contextmanager
def _refusals_told(pointer: str) -> Iterator[None]:
    """A link table may have constraints beside that on its pairs. Raises Conflict, Invalid."""
    try:
        yield
    except IntegrityError as exc:
        match kind_of(exc):
            case "unique":
                detail = "One of these rows can be linked once only, and is linked already."
                faults = [Fault(pointer, "unique", detail)]
                raise Conflict(detail, code="unique", faults=faults) from exc
            case "foreign_key":
                raise no_such_row([pointer]) from exc
        raise broken_rule(pointer) from exc


def take_link(scope: Scope, near: Record, key: Key, relation: Relation, far: Key) -> None:
    for _ in links.unlink(scope.session, _table(relation), [(key, far)]):
        tell_link(scope, near, relation, "unlinked", far)


def _table(relation: Relation) -> LinkTable:
    assert relation.links is not None  # plans of links are made of no other
    return relation.links


def _add(scope: Scope, ends: Sequence[End]) -> None:
    relation, near = ends[0].wanted.relation, ends[0].row.rights
    targets = dict.fromkeys(row.key for end in ends for row in end.wanted.targets)
    found = _far_ends(scope, near, relation, targets)
    absent = [
        f"{end.pointer}{member(relation.name)}/{place}"
        for end in ends
        for place, row in enumerate(end.wanted.targets)
        if row.key not in found
    ]
    if absent:
        raise no_such_row(list(dict.fromkeys(absent)))
    _check_may_be_linked(scope, found.values())
    rows = {end.key: end.row for end in ends}
    pairs = [(end.key, row.key) for end in ends for row in end.wanted.targets]
    with _refusals_told(ends[0].pointer + member(relation.name)):
        linked = links.link(scope.session, _table(relation), pairs)
    for key, far in linked:
        tell_link(scope, rows[key], relation, "linked", far)


def _remove_others(scope: Scope, ends: Sequence[End]) -> None:
    """A link to a row that the actor may not see stays: nobody asked for it to go."""
    if not ends:
        return
    relation, near = ends[0].wanted.relation, ends[0].row.rights
    kept = {end.key: {row.key for row in end.wanted.targets} for end in ends}
    rows = {end.key: end.row for end in ends}
    others: list[Pair] = [
        (key, far)
        for key, far in links.linked_to(scope.session, _table(relation), rows)
        if far not in kept[key]
    ]
    found = _far_ends(scope, near, relation, dict.fromkeys(far for _, far in others))
    _check_may_be_linked(scope, found.values())
    seen = [pair for pair in others if pair[1] in found]
    for key, far in links.unlink(scope.session, _table(relation), seen):
        tell_link(scope, rows[key], relation, "unlinked", far)


def _far_ends(
    scope: Scope, near: Rights, relation: Relation, keys: Collection[Key]
) -> Mapping[Key, Record]:
    """Those that the actor may read."""
    rights = scope.sight.rights(relation.target)
    rule = near.links.get(relation.name, rights.rules["update"])
    wish = Wish(rights, (("read", rights.rules["read"]), ("update", rule)))
    records, actor = scope.records, scope.sight.actor
    together = records.look_many(scope.session, wish, list(keys), actor)
    # A column may give a key back in another spelling than it was given.
    found = {
        key: together.get(key) or records.look(scope.session, wish, key, actor) for key in keys
    }
    return {key: row for key, row in found.items() if row is not None and row.granted["read"]}


def _check_may_be_linked(scope: Scope, rows: Iterable[Record]) -> None:
    for row in rows:
        if not row.granted["update"]:
            raise refusal(scope.sight, row.rights, "update")
