"""relationship() → Relation: a join over placeholders that a statement puts its aliases into."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sqlalchemy import Alias, Column, ColumnClause, ColumnElement, FromClause, Table, and_
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Grouping

from tilth.errors import Finding
from tilth.kernel.schema.expressions import Replace, replaced
from tilth.kernel.schema.fields import has_default
from tilth.kernel.schema.resource import Join, LinkTable, Relation
from tilth.kernel.schema.rewrite import plain
from tilth.kernel.schema.tables import key_of, tables_of, unique_sets

Property = RelationshipProperty[Any]
Placeholders = dict[FromClause, Alias]
Equality = tuple[Column[Any], Column[Any]]
"""A column of the owner and the column of the target it equals."""


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
            relations[str(prop.key)] = _relation(mapper, prop, target)
    return relations, findings


def _not_understood(mapper: Mapper[Any], prop: Property) -> Finding:
    return Finding(
        "schema.join_not_understood",
        f"{mapper.class_.__name__}.{prop.key}",
        "the relationship goes through a join, a query or an aliased class.",
        "Relate to the mapped class itself, through one link table at most.",
    )


def _relation(mapper: Mapper[Any], prop: Property, target: str) -> Relation:
    remote = {table: _placeholder(table) for table in tables_of(prop.mapper)}
    link = {} if prop.secondary is None else {prop.secondary: _placeholder(prop.secondary)}
    many = bool(prop.uselist)
    return Relation(
        str(prop.key),
        target,
        many,
        Join(_on(prop, remote, link), remote, next(iter(link.values()), None)),
        single_row=not many and not link and _finds_one(prop),
        order=tuple(replaced(each, _columns(remote | link)) for each in prop.order_by or ()),
        local=() if link else _local(mapper, prop),
        remote=_remote(mapper, prop) if not link else (),
        links=_link_table(mapper, prop),
        description=prop.doc,
    )


def _placeholder(table: FromClause) -> Alias:
    return cast(Alias, table.alias())


def _on(prop: Property, remote: Placeholders, link: Placeholders) -> ColumnElement[bool]:
    if prop.secondaryjoin is None:
        return replaced(prop.primaryjoin, _far_columns(remote))
    return and_(
        replaced(prop.primaryjoin, _columns(link)),
        replaced(prop.secondaryjoin, _columns(remote | link)),
    )


def _far_columns(placeholders: Placeholders) -> Replace:
    """The owner's columns stay: in a table joined to itself they are of the target's table too."""
    replace = _columns(placeholders)
    return lambda part: None if _is_local(part) else replace(part)


def _columns(placeholders: Placeholders) -> Replace:
    def replace(part: ColumnElement[Any]) -> ColumnElement[Any] | None:
        table = plain(part).table if isinstance(part, ColumnClause) else None
        placeholder = placeholders.get(table) if table is not None else None
        return None if placeholder is None else placeholder.columns[cast(Any, part).key]

    return replace


def _finds_one(prop: Property) -> bool:
    """The columns asked for on the target's side can only occur in one row."""
    asked = {pair[1] for pair in _equalities(prop) if pair is not None}
    return any(
        keys <= {column.key for column in asked if column.table is table}
        for table in tables_of(prop.mapper)
        for keys in unique_sets(table)
    )


def _local(mapper: Mapper[Any], prop: Property) -> tuple[str, ...]:
    """Fields that hold the target's key, in its order, if the join asks for that key alone."""
    pairs = _equalities(prop)
    if prop.direction is not RelationshipDirection.MANYTOONE or None in pairs:
        return ()
    try:
        held = {_name(prop.mapper, pair[1]): _name(mapper, pair[0]) for pair in pairs if pair}
    except UnmappedColumnError:
        return ()
    key = key_of(prop.mapper)
    return tuple(held[name] for name in key) if held.keys() == set(key) else ()


def _remote(mapper: Mapper[Any], prop: Property) -> tuple[str, ...]:
    """Fields of the target that hold this side's key, in its order, if the join asks that alone."""
    pairs = _equalities(prop)
    is_here = prop.direction is not RelationshipDirection.ONETOMANY
    if is_here or None in pairs or prop.viewonly or "save-update" not in prop.cascade:
        return ()
    try:
        held = {_name(mapper, pair[0]): _name(prop.mapper, pair[1]) for pair in pairs if pair}
    except UnmappedColumnError:
        return ()
    key = key_of(mapper)
    return tuple(held[name] for name in key) if held.keys() == set(key) else ()


def _link_table(mapper: Mapper[Any], prop: Property) -> LinkTable | None:
    """None as well for a table that holds something else than the two keys, or needs more."""
    if not isinstance(prop.secondary, Table) or prop.viewonly:
        return None
    near = _held(mapper, prop.synchronize_pairs)
    far = _held(prop.mapper, prop.secondary_synchronize_pairs or ())
    needed = (column for column in prop.secondary.columns if not column.nullable)
    if any(not has_default(column) and column not in (*near, *far) for column in needed):
        return None
    return LinkTable(prop.secondary, near, far) if near and far else None


def _held(mapper: Mapper[Any], pairs: Iterable[Any]) -> tuple[ColumnElement[Any], ...]:
    """The link table's columns for the mapper's key, in its order; none if they hold another."""
    held = {_name(mapper, column): link for column, link in pairs}
    key = key_of(mapper)
    return tuple(held[name] for name in key) if held.keys() == set(key) else ()


def _name(mapper: Mapper[Any], column: Column[Any]) -> str:
    return mapper.get_property_by_column(column).key


def _equalities(prop: Property) -> list[Equality | None]:
    """One pair for each condition of the join, None for a condition that is no such pair."""
    return [_equality(condition) for condition in _conditions(prop.primaryjoin)]


def _conditions(joined: Any) -> Iterator[ColumnElement[Any]]:
    match joined:
        case Grouping():
            yield from _conditions(joined.element)
        case BooleanClauseList() if joined.operator is operators.and_:
            for part in joined.clauses:
                yield from _conditions(part)
        case _:
            yield joined


def _equality(condition: ColumnElement[Any]) -> Equality | None:
    if not isinstance(condition, BinaryExpression) or condition.operator is not operators.eq:
        return None
    far, near = sorted((condition.left, condition.right), key=_is_local)
    if _is_local(far) or not _is_local(near):
        return None
    near, far = plain(near), plain(far)
    return (near, far) if isinstance(near, Column) and isinstance(far, Column) else None


def _is_local(part: ColumnElement[Any]) -> bool:
    # The ORM marks the owner's side of every relationship, but not all of the target's as remote.
    return "local" in part._annotations
