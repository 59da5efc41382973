"""Mapper → the tables its rows come from, how they are joined and which rows are its own."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Index, Table, UniqueConstraint, false, or_
from sqlalchemy.orm import Mapper

from tilth.kernel.schema.expressions import plain


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The first parts of a Resource: see there."""

    tables: tuple[FromClause, ...]
    links: tuple[ColumnElement[bool], ...]
    criterion: ColumnElement[bool] | None


def tables_of(mapper: Mapper[Any]) -> Tables:
    chain = lineage(mapper)
    tables = dict.fromkeys(step.local_table for step in chain)
    links = [step.inherit_condition for step in chain if step.inherit_condition is not None]
    return Tables(tuple(tables), tuple(map(plain, links)), criterion_of(mapper))


def lineage(mapper: Mapper[Any]) -> list[Mapper[Any]]:
    """The mappers whose rows make up this one's, the most general first."""
    chain = [mapper]
    while chain[0].inherits is not None and not chain[0].concrete:
        chain.insert(0, chain[0].inherits)
    return chain


def criterion_of(mapper: Mapper[Any]) -> ColumnElement[bool] | None:
    """Rows of a class that shares its parent's table are told apart by their discriminator."""
    discriminator = mapper.polymorphic_on
    if not mapper.single or discriminator is None:
        return None
    identities = [
        each.polymorphic_identity
        for each in mapper.self_and_descendants
        if not each.polymorphic_abstract and each.polymorphic_identity is not None
    ]
    if not identities:
        return false()
    return or_(*(plain(discriminator) == identity for identity in identities))


def unique_sets(table: FromClause) -> list[frozenset[str]]:
    """Names of columns that together occur in at most one row, the primary key first."""
    if not isinstance(table, Table):
        return [frozenset(column.key for column in table.primary_key)]
    constraints = [
        constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)
    ]
    indexes = [index for index in table.indexes if index.unique and _covers_all_rows(index)]
    found = [
        [column.key for column in table.primary_key],
        *([column.key for column in each.columns] for each in (*constraints, *indexes)),
        *([column.key] for column in table.columns if column.unique),
    ]
    return [frozenset(names) for names in found if names]


def _covers_all_rows(index: Index) -> bool:
    conditions = [index.dialect_options[name].get("where") for name in ("postgresql", "sqlite")]
    plain_columns = len(index.columns) == len(index.expressions)
    return plain_columns and all(condition is None for condition in conditions)
