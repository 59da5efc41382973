"""Foreign keys → how the rows they lead to are found, whether or not a relationship() follows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import cast

from sqlalchemy import Alias, Column, ForeignKeyConstraint, FromClause, Table, and_
from sqlalchemy.orm import class_mapper

from tilth.kernel.schema.resource import Join, Relation, Resource, ToOne


def with_references(resources: Mapping[str, Resource]) -> dict[str, Resource]:
    """Each with everything on which a row of it can refer to a row of these resources."""
    return {
        name: replace(resource, references=tuple(_references(resource, resources.values())))
        for name, resource in resources.items()
    }


def with_associations(
    resources: Mapping[str, Resource], linked: Mapping[type, Collection[str]]
) -> dict[str, Resource]:
    """Each with its many-to-many relations through a table whose rows are a resource of their own.

    linked: model → relations of which a policy says who may link along them, all the same.
    """
    owners = {table: each.name for each in resources.values() for table in each.tables}

    def through(resource: Resource, relation: Relation) -> str | None:
        is_told = relation.name in linked.get(resource.model, ())
        secondary = relation.join.secondary
        return None if secondary is None or is_told else owners.get(secondary.element)

    return {
        name: replace(
            resource,
            relations=MappingProxyType(
                {
                    key: replace(each, through=through(resource, each))
                    for key, each in resource.relations.items()
                }
            ),
        )
        for name, resource in resources.items()
    }


def _references(resource: Resource, others: Iterable[Resource]) -> Iterator[ToOne]:
    followed = {frozenset(each.local) for each in resource.relations.values() if each.local}
    for relation in resource.relations.values():
        if relation.local:
            yield ToOne(relation.local, (relation,))
    names = {field.expression: name for name, field in resource.fields.items()}
    for key in _foreign_keys(resource):
        local = [names.get(element.parent) for element in key.elements]
        known = tuple(name for name in local if name is not None)
        if len(known) < len(local) or frozenset(known) in followed:
            continue
        targets = _targets(key.referred_table, others)
        ways = tuple(_relation(key, known, target) for target in targets)
        if ways:
            yield ToOne(known, ways)


def _foreign_keys(resource: Resource) -> Iterator[ForeignKeyConstraint]:
    """The key of an inherited table leads to the same row, and is no reference."""
    for table in resource.tables:
        for key in table.foreign_key_constraints if isinstance(table, Table) else ():
            is_inherited = (
                key.referred_table is not table
                and key.referred_table in resource.tables
                and set(key.columns) == set(table.primary_key)
            )
            if not is_inherited:
                yield key


def _targets(table: Table, resources: Iterable[Resource]) -> list[Resource]:
    """The resource that all rows of the table are rows of, or else those that some of them are."""
    some = [each for each in resources if table in each.tables]
    every = [each for each in some if each.tables[-1] is table and not _is_part(each)]
    return every[:1] or some


def _is_part(resource: Resource) -> bool:
    return class_mapper(resource.model).single


def _relation(key: ForeignKeyConstraint, local: tuple[str, ...], target: Resource) -> Relation:
    remote: dict[FromClause, Alias] = {table: cast(Alias, table.alias()) for table in target.tables}
    there = remote[key.referred_table].columns
    pairs: Iterator[tuple[Column[object], Column[object]]] = (
        (element.parent, element.column) for element in key.elements
    )
    on = and_(*(near == there[far.key] for near, far in pairs))
    return Relation(local[0], target.name, many=False, join=Join(on, remote), local=local)
