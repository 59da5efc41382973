"""A resource at one place of a statement: its tables under aliases, its policy, its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    ColumnElement,
    FromClause,
    bindparam,
    case,
    false,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression

from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation
from tilth.kernel.schema.rewrite import rewritten
from tilth.kernel.store.binds import Binds

Sql = ColumnElement[Any]
Find = Callable[[ColumnClause[Any]], Sql | None]
"""Column of a mapped table → the column that stands for it here, or None to leave it."""


@dataclass(frozen=True, slots=True)
class Source:
    """aliases: each table of the resource → its alias. rows: what to select from."""

    access: Access
    aliases: Mapping[FromClause, FromClause]
    rows: FromClause

    def find(self, column: ColumnClause[Any]) -> Sql | None:
        return found_in(self.aliases, column)


def source_of(access: Access) -> Source:
    resource = access.resource
    aliases = {table: table.alias() for table in resource.tables}
    rows: FromClause = aliases[resource.tables[0]]
    for table, link in zip(resource.tables[1:], resource.links, strict=True):
        rows = rows.join(aliases[table], replaced(link, lambda c: found_in(aliases, c)))
    return Source(access, aliases, rows)


def found_in(aliases: Mapping[Any, FromClause], column: ColumnClause[Any]) -> Sql | None:
    alias = aliases.get(column.table) if column.table is not None else None
    return alias.c[column.key] if alias is not None else None


def visible(source: Source, binds: Binds) -> Iterator[Sql]:
    """What rows must satisfy to be of this class and to be read by this actor."""
    resource, predicate = source.access.resource, source.access.predicate
    if resource.criterion is not None:
        yield replaced(resource.criterion, source.find)
    if source.access.rows == "none":
        yield false()
    if predicate is not None:
        yield ruled(predicate, source.access, source.find, binds)


def value_of(source: Source, name: str, binds: Binds) -> Sql:
    """The field as this actor may read it: NULL on the rows where it is masked."""
    value = replaced(source.access.fields[name].expression, source.find)
    mask = source.access.masked.get(name)
    return value if mask is None else case((ruled(mask, source.access, source.find, binds), value))


@dataclass(frozen=True, slots=True)
class Joined:
    """The target of a relation beside its parent.

    on: how target, parent and link table meet. link: the alias of the link table, if there is one.
    """

    source: Source
    on: Sql
    link: FromClause | None

    @property
    def rows(self) -> tuple[FromClause, ...]:
        return (self.source.rows,) if self.link is None else (self.source.rows, self.link)

    @property
    def tables(self) -> tuple[FromClause, ...]:
        own = tuple(self.source.aliases.values())
        return own if self.link is None else (*own, self.link)


def joined(relation: Relation, access: Access, parent: Find) -> Joined:
    """parent: finds the columns of the row the relation starts from."""
    source = source_of(access)
    aliases = {
        placeholder: source.aliases[table] for table, placeholder in relation.join.remote.items()
    }
    secondary = relation.join.secondary
    link = secondary.element.alias() if secondary is not None else None
    if secondary is not None and link is not None:
        aliases[secondary] = link

    def find(column: ColumnClause[Any]) -> Sql | None:
        here = found_in(aliases, column)
        return parent(column) if here is None else here

    return Joined(source, replaced(relation.join.on, find), link)


def replaced(expression: Sql, find: Find) -> Sql:
    """The expression over the tables of this statement."""

    def replace(part: object) -> Sql | None:
        return find(part) if isinstance(part, ColumnClause) else None

    return rewritten(expression, replace)


def ruled(rule: Sql, access: Access, find: Find, binds: Binds) -> Sql:
    """A policy's rule over the tables of this statement, `me` turned into parameters of it."""

    def replace(part: object) -> Sql | None:
        if isinstance(part, ColumnClause):
            return find(part)
        if isinstance(part, BinaryExpression) and _is_membership(part):
            left = ruled(part.left, access, find, binds)
            chosen = _membership(left, part.right, access, binds)
            return chosen if part.operator is operators.in_op else ~chosen
        if isinstance(part, BindParameter) and part.key in ("me_id", "me_tenant"):
            return binds.me("id" if part.key == "me_id" else "tenant", part.type)
        return None

    return rewritten(rule, replace)


def _is_membership(part: BinaryExpression[Any]) -> bool:
    chosen = part.operator in (operators.in_op, operators.not_in_op)
    return chosen and isinstance(part.right, BindParameter) and bool(part.right.expanding)


def _membership(left: Sql, right: Any, access: Access, binds: Binds) -> Sql:
    """`IN` written out, one parameter per value, so that the SQL text is final once compiled."""
    members: list[BindParameter[Any]]
    if right.key == "me_roles":
        members = [binds.me("role", left.type, index) for index in range(access.role_slots)]
    else:
        values = right.effective_value or ()
        members = [bindparam(None, value, type_=left.type) for value in values]
    return left.in_(members) if members else false()
