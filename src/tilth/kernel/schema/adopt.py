"""Reflected tables → mapped classes with relationships and predictable names.

docs/reference/naming.md tells the names with examples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from sqlalchemy import Column, ColumnElement, MetaData, Table, and_
from sqlalchemy.orm import RelationshipProperty, foreign, registry, relationship, remote

from tilth.kernel.schema.adoption.naming import NamedWay, named_ways, resource_names
from tilth.kernel.schema.adoption.ways import Pairs, Way
from tilth.kernel.schema.adoption.wording import class_name
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.kinds import kind_of

# Longer texts are documents: looking into all of them makes every search slow.
LONGEST_SEARCHED = 1000

Classes = Mapping[Table, type]


@dataclass(frozen=True, slots=True)
class Adopted:
    """notes: a sentence for each thing that was renamed or left out."""

    exposures: tuple[Exposure, ...]
    notes: tuple[str, ...] = ()


def exposures_from(metadata: MetaData, dialect_name: str) -> Adopted:
    """One exposure for each table, in the order of table names.

    metadata: as store.reflect makes it; info of a table without a key has "tilth_no_key".
    Relations are for reading: what a row refers to is written through its columns.
    """
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    usable = {table: columns for table in tables if (columns := _usable(table))}
    ways = [
        each for each in named_ways(metadata) if {each.way.owner, each.way.target} <= set(usable)
    ]
    named = list(resource_names(list(usable)))
    classes = _classes(list(usable))
    mappers = registry(metadata=metadata)
    for table, columns in usable.items():
        own_ways = [each for each in ways if each.way.owner is table]
        _map(mappers, classes[table], columns, own_ways, classes)
    exposures = (
        Exposure(classes[table], name, _searched(usable[table], dialect_name), reflected=True)
        for table, name, _ in named
    )
    notes = chain(
        (note for table in tables for note in _left_out(table)),
        (note for _, _, note in named if note),
        (each.note for each in ways if each.note),
    )
    return Adopted(tuple(exposures), tuple(notes))


def _usable(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if not _is_reserved(column.name)]


def _is_reserved(name: str) -> bool:
    """Python and SQLAlchemy keep such attributes of a class for themselves."""
    return name.startswith("_sa_") or (name.startswith("__") and name.endswith("__"))


def _left_out(table: Table) -> list[str]:
    names = [column.name for column in table.columns if _is_reserved(column.name)]
    return [
        f"{table.name}.{name} is left out: Python keeps such names for itself." for name in names
    ]


def _classes(tables: Sequence[Table]) -> dict[Table, type]:
    """Empty classes, no two of one name."""
    named: dict[str, Table] = {}
    for table in tables:
        first = class_name(table.name)
        numbered = (f"{first}{number}" for number in count(2))
        named[next(each for each in chain([first], numbered) if each not in named)] = table
    return {table: type(name, (), {"__doc__": None}) for name, table in named.items()}


def _map(
    mappers: registry,
    model: type,
    columns: Sequence[Column[Any]],
    ways: Sequence[NamedWay],
    classes: Classes,
) -> None:
    """A table without a key, which SQLAlchemy cannot map, gets all its columns for one."""
    table = columns[0].table
    assert isinstance(table, Table)
    key = [column for column in table.primary_key if column in set(columns)]
    if not key or len(key) < len(table.primary_key):
        table.info["tilth_no_key"] = True
        key = list(columns)
    mappers.map_imperatively(
        model,
        table,
        primary_key=key,
        include_properties=[column.name for column in columns],
        properties={
            **{column.name: column for column in columns},
            **{each.name: _relationship(each.way, classes) for each in ways},
        },
    )


def _relationship(way: Way, classes: Classes) -> RelationshipProperty[Any]:
    target = classes[way.target]
    if way.link is not None:
        return relationship(
            target,
            secondary=way.link,
            primaryjoin=_joined(way.pairs, lambda near, far: near == foreign(far)),
            secondaryjoin=_joined(way.far, lambda near, far: foreign(near) == far),
            viewonly=True,
        )
    if way.direction == "forward":
        on = _joined(way.pairs, lambda near, far: foreign(near) == remote(far))
    else:
        on = _joined(way.pairs, lambda near, far: near == remote(foreign(far)))
    return relationship(target, primaryjoin=on, uselist=way.many, viewonly=True)


def _joined(
    pairs: Pairs, on: Callable[[Column[Any], Column[Any]], ColumnElement[bool]]
) -> ColumnElement[bool]:
    return and_(*(on(near, far) for near, far in pairs))


def _searched(columns: Sequence[Column[Any]], dialect_name: str) -> tuple[str, ...]:
    return tuple(column.name for column in columns if _is_searched(column, dialect_name))


def _is_searched(column: Column[Any], dialect_name: str) -> bool:
    kind = kind_of(column.type, dialect_name)
    length = getattr(column.type, "length", None) or 0
    return kind is not None and kind.name == "text" and length <= LONGEST_SEARCHED
