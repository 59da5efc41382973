"""relationship() → Relation: a join over placeholders that any statement can put its aliases into."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Alias, Column, ColumnClause, ColumnElement, FromClause, Table, and_
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping

from tilth.errors import Finding
from tilth.kernel.schema.expressions import Replace, plain, replaced
from tilth.kernel.schema.resource import Join, Relation
from tilth.kernel.schema.tables import tables_of, unique_sets

Equality = tuple[Column[Any], Column[Any]]
"""A column of the owner = a column of the target."""


def relations_of(
    mapper: Mapper[Any], names: Mapping[type, str]
) -> tuple[dict[str, Relation], list[Finding]]:
    """Every relationship whose target is exposed. names: model → resource name."""
    relations: dict[str, Relation] = {}
    findings: list[Finding] = []
    for prop in mapper.relationships:
        target = names.get(prop.mapper.class_)
        if target is None:
            continue
        if prop.entity.is_aliased_class or not isinstance(prop.secondary, Table | None):
            findings.append(_not_understood(mapper, prop))
        else:
            relations[prop.key] = _relation(mapper, prop, target)
    return relations, findings


def _not_understood(mapper: Mapper[Any], prop: RelationshipProperty[Any]) -> Finding:
    return Finding(
        "schema.join_not_understood",
        f"{mapper.class_.__name__}.{prop.key}",
        "the relationship goes through a join or an aliased class.",
        "Relate to the mapped class itself, through one table at most.",
    )


def _relation(mapper: Mapper[Any], prop: RelationshipProperty[Any], target: str) -> Relation:
    tables = tables_of(prop.mapper).tables
    remote = {table: table.alias() for table in tables}
    secondary = prop.secondary.alias() if prop.secondary is not None else None
    many = bool(prop.uselist)
    return Relation(
        prop.key,
        target,
        many,
        Join(_on(prop, remote, secondary), remote, secondary),
        single_row=not many and secondary is None and _finds_one(prop),
        order=_order(prop, remote, secondary),
        local=_local(mapper, prop) if secondary is None else (),
        description=prop.doc,
    )


def _on(
    prop: RelationshipProperty[Any], remote: Mapping[FromClause, Alias], secondary: Alias | None
) -> ColumnElement[bool]:
    if secondary is None:
        return replaced(prop.primaryjoin, _remote_columns(remote))
    assert prop.secondary is not None and prop.secondaryjoin is not None
    link = {prop.secondary: secondary}
    return and_(
        replaced(prop.primaryjoin, _columns(link)),
        replaced(prop.secondaryjoin, _columns({**remote, **link})),
    )


def _remote_columns(placeholders: Mapping[FromClause, Alias]) -> Replace:
    """Only the columns the ORM marked as remote: a table joined to itself has both sides in it."""
    anywhere = _columns(placeholders)
    return lambda column: anywhere(column) if "remote" in column._annotations else None


def _columns(placeholders: Mapping[FromClause, Alias]) -> Replace:
    def replace(column: ColumnElement[Any]) -> ColumnElement[Any] | None:
        if not isinstance(column, ColumnClause):
            return None
        placeholder = placeholders.get(plain(column).table)
        return None if placeholder is None else placeholder.columns[column.key]

    return replace


def _order(
    prop: RelationshipProperty[Any], remote: Mapping[FromClause, Alias], secondary: Alias | None
) -> tuple[ColumnElement[Any], ...]:
    placeholders = dict(remote)
    if secondary is not None and prop.secondary is not None:
        placeholders[prop.secondary] = secondary
    return tuple(replaced(each, _columns(placeholders)) for each in prop.order_by or ())


def _finds_one(prop: RelationshipProperty[Any]) -> bool:
    """The columns asked for on the target's side can only occur in one row."""
    asked = {pair[1] for pair in _equalities(prop) if pair is not None}
    return any(
        names <= {column.key for column in asked if column.table is table}
        for table in tables_of(prop.mapper).tables
        for names in unique_sets(table)
    )


def _local(mapper: Mapper[Any], prop: RelationshipProperty[Any]) -> tuple[str, ...]:
    """Fields that hold the target's key, in its order, if the join asks for that key alone."""
    pairs = _equalities(prop)
    if prop.direction is not RelationshipDirection.MANYTOONE or None in pairs:
        return ()
    key = [prop.mapper.get_property_by_column(column).key for column in prop.mapper.primary_key]
    try:
        held = {_name(prop.mapper, pair[1]): _name(mapper, pair[0]) for pair in pairs if pair}
    except UnmappedColumnError:
        return ()
    return tuple(held[name] for name in key) if held.keys() == set(key) else ()


def _name(mapper: Mapper[Any], column: Column[Any]) -> str:
    return mapper.get_property_by_column(column).key


def _equalities(prop: RelationshipProperty[Any]) -> list[Equality | None]:
    """One pair for each condition of the join, None for a condition that is no such pair."""
    return [_equality(condition) for condition in _conjuncts(prop.primaryjoin)]


def _conjuncts(condition: ColumnElement[Any]) -> Iterator[ColumnElement[Any]]:
    match condition:
        case Grouping():
            yield from _conjuncts(condition.element)
        case BooleanClauseList() if condition.operator is operators.and_:
            for part in condition.clauses:
                yield from _conjuncts(part)
        case _:
            yield condition


def _equality(condition: ColumnElement[Any]) -> Equality | None:
    if not isinstance(condition, BinaryExpression) or condition.operator is not operators.eq:
        return None
    near, far = sorted((condition.left, condition.right), key=_is_remote)
    if _is_remote(near) or not _is_remote(far):
        return None
    near, far = plain(near), plain(far)
    return (near, far) if isinstance(near, Column) and isinstance(far, Column) else None


def _is_remote(element: ColumnElement[Any]) -> bool:
    return "remote" in element._annotations
