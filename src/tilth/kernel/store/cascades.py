"""Rows that will be deleted or changed → the other rows that follow, by mapping or database, told as it was.

Nobody has to know beforehand what a cascade will do: every row that refers to those being written is
looked at before and after. What is gone was deleted with them, what differs was changed.

They are locked when they are looked at, and the rows they refer to are by then. So nobody makes one
refer elsewhere between the look and the change, nor another one refer to what is about to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

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

Columns = tuple[Column[Any], ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Of a link table: its columns that hold values of the row, and of the row that refers to it."""

    near: Columns
    far: Columns


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns of a resource's tables that hold values of the rows they refer to.

    verb: what of those rows it acts on. takes_along: who refers is deleted with them, so what
    refers to them has to be looked at as well. between: where the values are held by a link table.
    """

    resource: Resource
    local: Columns
    remote: Columns
    verb: Literal["delete", "update"] = "delete"
    takes_along: bool = False
    between: Between | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of one resource that are written. columns: which of theirs change; None where the rows go."""

    resource: Resource
    keys: Sequence[Key]
    columns: frozenset[Any] | None = None

    def is_acted_on(self, reference: Reference) -> bool:
        if self.columns is None:
            return reference.verb == "delete"
        return reference.verb == "update" and not self.columns.isdisjoint(reference.remote)

    def acts_on(self, reference: Reference, found: Sequence[Key]) -> Written:
        """What the rows that refer go through."""
        goes = self.columns is None and reference.takes_along
        return Written(reference.resource, found, None if goes else frozenset(reference.local))


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
    return _watched(scope, Written(resource, keys))


def watched_at_change(
    scope: Scope, resource: Resource, names: Iterable[str], keys: Sequence[Key]
) -> Watched:
    """The same of rows of which these fields are about to be changed: where no `ON UPDATE` acts on
    them, without a statement.
    """
    fields = resource.fields
    columns = frozenset(fields[name].expression for name in names if name in fields)
    return _watched(scope, Written(resource, keys, columns))


def _watched(scope: Scope, first: Written) -> Watched:
    watched = Watched()
    for key in first.keys:
        watched.is_new(first.resource, key)
    waiting = [first]
    while waiting:
        written = waiting.pop(0)
        for reference in filter(written.is_acted_on, references_to(scope, written.resource)):
            found = _referring(scope, reference, written)
            new = [key for key in found if watched.is_new(reference.resource, key)]
            rows = _looked_at(scope, reference.resource, new, lock=True)
            watched.found.append((reference.resource.name, rows))
            if rows:
                waiting.append(written.acts_on(reference, list(rows)))
    return watched


def tell_what_changed(scope: Scope, watched: Watched) -> None:
    """Afterwards. The last found are told first: each before the row it belonged to."""
    for name, before in reversed(watched.found):
        rights = scope.sight.rights(name)
        after = _looked_at(scope, rights.access.resource, list(before))
        for key, row in before.items():
            now = after.get(key)
            if now is None:
                tell(scope, rights, "deleted", row, None)
            elif now.values != row.values:
                tell(scope, rights, "updated", row, now)


def _looked_at(
    scope: Scope, resource: Resource, keys: Sequence[Key], *, lock: bool = False
) -> dict[Key, Record]:
    if not keys:
        return {}
    rights = scope.sight.rights(resource.name)
    wish = Wish(rights, rules_of(rights, _READ), lock=lock)
    return scope.records.look_many(scope.session, wish, keys, scope.sight.actor)


def _referring(scope: Scope, reference: Reference, written: Written) -> Iterator[Key]:
    resource, target, between = reference.resource, written.resource, reference.between
    own = [resource.fields[name].expression for name in resource.key]
    theirs = [target.fields[name].expression for name in target.key]
    rows = stored_rows(scope.sight.access(resource.name)).rows
    of_target = stored_rows(scope.sight.access(target.name)).rows
    for start in range(0, len(written.keys), ROWS_AT_ONCE):
        part = written.keys[start : start + ROWS_AT_ONCE]
        listed = [key[0] for key in part] if len(theirs) == 1 else part
        held = select(*reference.remote).select_from(of_target).correlate(None)
        held = held.where(_columns(theirs).in_(listed))
        if between is not None:
            held = select(*between.far).where(_columns(between.near).in_(held)).correlate(None)
        refer = _columns(reference.local).in_(held)
        found = select(*own).select_from(rows).where(refer).order_by(*own)
        yield from map(tuple, scope.session.execute(found))


def _columns(columns: Sequence[Any]) -> Any:
    """Compared together; one alone is no tuple."""
    return columns[0] if len(columns) == 1 else tuple_(*columns)


def references_to(scope: Scope, resource: Resource) -> Sequence[Reference]:
    """Those that a deletion, or a change, acts on; the most derived classes first."""
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
        merged: dict[object, Reference] = {}
        for each in acting:
            place = each.verb, each.local, each.between
            if place not in merged or each.takes_along:
                merged[place] = each
        yield from merged.values()


def _by_foreign_key(other: Resource, resource: Resource) -> Iterator[Reference]:
    """ON DELETE and ON UPDATE of the database. Those of an inherited key are about the same row."""
    for table in other.tables:
        for constraint in table.constraints if isinstance(table, Table) else ():
            if not isinstance(constraint, ForeignKeyConstraint):
                continue
            local = tuple(element.parent for element in constraint.elements)
            remote = tuple(element.column for element in constraint.elements)
            key = set(table.primary_key)
            is_inherited = issubclass(other.model, resource.model) and set(local) == key
            is_about = constraint.referred_table in resource.tables and not is_inherited
            if not is_about:
                continue
            at_deletion, at_change = map(_action, (constraint.ondelete, constraint.onupdate))
            if at_deletion in _ACTING:
                takes_along = at_deletion == "CASCADE"
                yield Reference(other, local, remote, takes_along=takes_along)
            if at_change in _ACTING:
                yield Reference(other, local, remote, "update")


def _action(declared: str | None) -> str:
    return (declared or "").upper()


def _by_relation(
    other: Resource, resource: Resource, addressed: Resource | None = None
) -> Iterator[Reference]:
    """What the mapping deletes along, or sets to NULL. addressed: the class by which it is known."""
    mapper: Mapper[Any] = class_mapper(resource.model)
    for relation in mapper.relationships:
        if relation.viewonly or not issubclass(other.model, relation.mapper.class_):
            continue
        found = _of_relation(other, relation, mapper, addressed or resource)
        if found is not None and _acts(relation):
            yield found


def _acts(relation: RelationshipProperty[Any]) -> bool:
    """passive_deletes: the mapping leaves it to the database."""
    deletes, is_looked_at = "delete" in relation.cascade, relation.passive_deletes is False
    match relation.direction:
        case RelationshipDirection.ONETOMANY:
            return is_looked_at
        case RelationshipDirection.MANYTOONE:
            return deletes
        case RelationshipDirection.MANYTOMANY:
            return deletes and is_looked_at


def _of_relation(
    other: Resource,
    relation: RelationshipProperty[Any],
    mapper: Mapper[Any],
    addressed: Resource,
) -> Reference | None:
    """None where the rows cannot be found by the tables that the class is known by."""
    if relation.secondary is None:
        pairs, between = relation.local_remote_pairs or (), None
        local = _plain(there for _, there in pairs)
    else:
        pairs, far = relation.synchronize_pairs, relation.secondary_synchronize_pairs or ()
        between = Between(_plain(there for _, there in pairs), _plain(there for _, there in far))
        local = _plain(here for here, _ in far)
    remote = tuple(_in_tables(here, mapper, addressed) for here, _ in pairs)
    known = tuple(column for column in remote if column is not None)
    if len(known) < len(remote):
        return None
    deletes = "delete" in relation.cascade
    return Reference(other, local, known, takes_along=deletes, between=between)


def _plain(columns: Iterable[Any]) -> Columns:
    return tuple(column for column in columns if isinstance(column, Column))


def _in_tables(column: Any, mapper: Mapper[Any], addressed: Resource) -> Column[Any] | None:
    """The key of a class that inherits is in the tables of both."""
    alike = mapper.get_property_by_column(column).columns
    return next((e for e in alike if isinstance(e, Column) and e.table in addressed.tables), None)
