"""Rows that will be deleted → the other rows that this changes, by mapping or database, told as it was.

Nobody has to know beforehand what a cascade will do: every row that refers to those being deleted is
looked at before and after. What is gone was deleted with them, what differs was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ForeignKeyConstraint, Table, select, tuple_
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty, class_mapper

from tilth.kernel.plan.change import Key
from tilth.kernel.policy.policy import Action
from tilth.kernel.schema.resource import Resource, Schema
from tilth.kernel.store.record import ROWS_AT_ONCE, Record, Wish
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.source import stored_rows
from tilth.kernel.store.telling import tell
from tilth.kernel.store.verdicts import rules_of

_ACTING = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})
_READ: tuple[Action, ...] = ("read",)


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns of a resource's tables that hold values of the rows they refer to.

    takes_along: who refers is deleted too, so what refers to them has to be looked at as well.
    """

    resource: Resource
    local: tuple[Column[Any], ...]
    remote: tuple[Column[Any], ...]
    takes_along: bool


@dataclass(slots=True)
class Watched:
    """Rows as they were, each once: lists of those of one resource, in the order they were found."""

    found: list[tuple[str, dict[Key, Record]]] = field(default_factory=list)
    seen: set[tuple[type, Key]] = field(default_factory=set)

    def is_new(self, resource: Resource, key: Key) -> bool:
        """One row may be a row of several resources: of a class and of one it inherits from."""
        place = (class_mapper(resource.model).base_mapper.class_, key)
        is_new = place not in self.seen
        self.seen.add(place)
        return is_new


def watched_rows(scope: Scope, resource: Resource, keys: Sequence[Key]) -> Watched:
    """Of the rows with these keys, which are about to be deleted, everything that may change.

    A statement for each kind of reference, and one for every 200 rows found.
    """
    watched = Watched()
    for key in keys:
        watched.is_new(resource, key)
    waiting = [(resource, list(keys))]
    while waiting:
        target, gone = waiting.pop(0)
        for reference in references_to(scope, target):
            found = _referring(scope, reference, target, gone)
            new = [key for key in found if watched.is_new(reference.resource, key)]
            rows = _looked_at(scope, reference.resource, new)
            watched.found.append((reference.resource.name, rows))
            if reference.takes_along and rows:
                waiting.append((reference.resource, list(rows)))
    return watched


def tell_what_changed(scope: Scope, watched: Watched) -> None:
    """After the deletion. The last found are told first: each before the row it belonged to."""
    for name, before in reversed(watched.found):
        rights = scope.sight.rights(name)
        after = _looked_at(scope, rights.access.resource, list(before))
        for key, row in before.items():
            now = after.get(key)
            if now is None:
                tell(scope, rights, "deleted", row, None)
            elif now.values != row.values:
                tell(scope, rights, "updated", row, now)


def _looked_at(scope: Scope, resource: Resource, keys: Sequence[Key]) -> dict[Key, Record]:
    if not keys:
        return {}
    rights = scope.sight.rights(resource.name)
    wish = Wish(rights, rules_of(rights, _READ))
    return scope.records.look_many(scope.session, wish, keys, scope.sight.actor)


def _referring(
    scope: Scope, reference: Reference, target: Resource, keys: Sequence[Key]
) -> Iterator[Key]:
    resource = reference.resource
    own = [resource.fields[name].expression for name in resource.key]
    theirs = [target.fields[name].expression for name in target.key]
    rows = stored_rows(scope.sight.access(resource.name)).rows
    of_target = stored_rows(scope.sight.access(target.name)).rows
    for start in range(0, len(keys), ROWS_AT_ONCE):
        part = keys[start : start + ROWS_AT_ONCE]
        listed = [key[0] for key in part] if len(theirs) == 1 else part
        gone = _columns(theirs).in_(listed)
        remote = select(*reference.remote).select_from(of_target).where(gone).correlate(None)
        refer = _columns(reference.local).in_(remote)
        found = select(*own).select_from(rows).where(refer).order_by(*own)
        yield from map(tuple, scope.session.execute(found))


def _columns(columns: Sequence[Any]) -> Any:
    """Compared together; one alone is no tuple."""
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def references_to(scope: Scope, resource: Resource) -> Sequence[Reference]:
    """Those that a deletion acts on; the most derived classes first."""
    known = scope.records.references
    if resource.name not in known:
        known[resource.name] = tuple(_references(scope.sight.schema, resource))
    found: Sequence[Reference] = known[resource.name]
    return found


def _references(schema: Schema, resource: Resource) -> Iterator[Reference]:
    by_depth = sorted(schema.values(), key=lambda each: -len(each.model.__mro__))
    for other in by_depth:
        if not other.key:
            continue
        acting = [*_by_foreign_key(other, resource), *_by_relation(other, resource)]
        # A row may be of a class that inherits, whose relations act as well.
        acting += (
            reference
            for each in by_depth
            if each.model is not resource.model and issubclass(each.model, resource.model)
            for reference in _by_relation(other, each, resource)
        )
        merged: dict[tuple[Column[Any], ...], Reference] = {}
        for each in acting:
            known = merged.get(each.local)
            if known is None or each.takes_along:
                merged[each.local] = each
        yield from merged.values()


def _by_foreign_key(other: Resource, resource: Resource) -> Iterator[Reference]:
    """ON DELETE of the database. That of an inherited key is about the same row."""
    for table in other.tables:
        for constraint in table.constraints if isinstance(table, Table) else ():
            if not isinstance(constraint, ForeignKeyConstraint):
                continue
            action = (constraint.ondelete or "").upper()
            local = tuple(element.parent for element in constraint.elements)
            remote = tuple(element.column for element in constraint.elements)
            key = set(table.primary_key)
            is_inherited = issubclass(other.model, resource.model) and set(local) == key
            is_about = constraint.referred_table in resource.tables and not is_inherited
            if action in _ACTING and is_about:
                yield Reference(other, local, remote, action == "CASCADE")


def _by_relation(
    other: Resource, resource: Resource, addressed: Resource | None = None
) -> Iterator[Reference]:
    """What the mapping deletes along, or sets to NULL. addressed: the class by which it is known."""
    mapper: Mapper[Any] = class_mapper(resource.model)
    for relation in mapper.relationships:
        if relation.viewonly or not issubclass(other.model, relation.mapper.class_):
            continue
        deletes = "delete" in relation.cascade
        is_below = relation.direction is RelationshipDirection.ONETOMANY
        is_beside = relation.direction is RelationshipDirection.MANYTOONE
        acts = (is_below and relation.passive_deletes is False) or (is_beside and deletes)
        found = _of_relation(other, relation, mapper, addressed or resource) if acts else None
        if found is not None:
            yield found


def _of_relation(
    other: Resource,
    relation: RelationshipProperty[Any],
    mapper: Mapper[Any],
    addressed: Resource,
) -> Reference | None:
    """None where the rows cannot be found by the tables that the class is known by."""
    pairs = relation.local_remote_pairs or ()
    local = tuple(there for _, there in pairs if isinstance(there, Column))
    remote = tuple(_in_tables(here, mapper, addressed) for here, _ in pairs)
    known = tuple(column for column in remote if column is not None)
    if len(known) < len(remote):
        return None
    return Reference(other, local, known, "delete" in relation.cascade)


def _in_tables(column: Any, mapper: Mapper[Any], addressed: Resource) -> Column[Any] | None:
    """The key of a class that inherits is in the tables of both."""
    alike = mapper.get_property_by_column(column).columns
    return next((e for e in alike if isinstance(e, Column) and e.table in addressed.tables), None)
