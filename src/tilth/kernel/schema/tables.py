"""Mapper → the tables its rows come from, how they are joined and which rows are its own."""

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, FromClause, Index, Table, UniqueConstraint, false, or_
from sqlalchemy.orm import InstrumentedAttribute, Mapper, MapperProperty

from tilth.kernel.schema.rewrite import plain

Property = TypeVar("Property", bound=MapperProperty[Any])


def declared(mapper: Mapper[Any], kind: type[Property]) -> list[Property]:
    """Its properties of one kind, inherited ones too, also while relationships are unresolved."""
    attributes = mapper.all_orm_descriptors
    found = [each.comparator.prop for each in attributes if isinstance(each, InstrumentedAttribute)]
    return [prop for prop in found if isinstance(prop, kind)]


def tables_of(mapper: Mapper[Any]) -> tuple[FromClause, ...]:
    """The most general table first; several only for joined inheritance."""
    return tuple(dict.fromkeys(step.local_table for step in _lineage(mapper)))


def links_of(mapper: Mapper[Any]) -> tuple[ColumnElement[bool], ...]:
    """How each further table is joined to those before it."""
    conditions = [step.inherit_condition for step in _lineage(mapper)]
    return tuple(plain(condition) for condition in conditions if condition is not None)


def _lineage(mapper: Mapper[Any]) -> list[Mapper[Any]]:
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


def key_of(mapper: Mapper[Any]) -> tuple[str, ...]:
    """Names of the attributes that identify a row; none for a view or table without a key."""
    if any(table.info.get("tilth_no_key") for table in mapper.tables if isinstance(table, Table)):
        return ()
    return tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)


def unique_sets(table: FromClause) -> list[frozenset[str]]:
    """Keys of columns that together occur in at most one row, the primary key first."""
    if not isinstance(table, Table) or table.info.get("tilth_no_key"):
        return []
    constraints = [each for each in table.constraints if isinstance(each, UniqueConstraint)]
    indexes = [each for each in table.indexes if each.unique and _covers_all_rows(each)]
    found = [
        [column.key for column in table.primary_key],
        *([column.key for column in constraint.columns] for constraint in constraints),
        *([column.key for column in index.columns] for index in indexes),
    ]
    return [frozenset(keys) for keys in found if keys]


def _covers_all_rows(index: Index) -> bool:
    conditions = [index.dialect_options[name].get("where") for name in ("postgresql", "sqlite")]
    only_columns = len(index.columns) == len(index.expressions)
    return only_columns and all(condition is None for condition in conditions)
