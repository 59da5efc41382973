"""A resource at one place of a statement: only the rows and values that the actor may read.

Where a policy has something to ask of the rows, the resource is read through a view made on the
spot, `(SELECT … FROM hero WHERE <rule>) AS hero_1`: inside it the rule means exactly what it means
in the developer's own queries, whatever subqueries it has. Databases flatten such views.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    ColumnElement,
    FromClause,
    bindparam,
    case,
    literal_column,
    select,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BinaryExpression

from tilth.kernel.plan.shape import Grant
from tilth.kernel.policy.access import Access
from tilth.kernel.policy.fold import Folded
from tilth.kernel.schema.resource import Relation, Resource
from tilth.kernel.schema.rewrite import plain, rewritten
from tilth.kernel.store.binds import NOTHING, Binds

Sql = ColumnElement[Any]
Place = tuple[Any, str]
Find = Callable[[ColumnClause[Any]], Sql | None]
"""Column of a mapped table → the column that stands for it here, or None to leave it."""


@dataclass(frozen=True, slots=True)
class Source:
    """rows: what to select from. columns: (mapped table, key) → column of rows.

    values: fields that are not a column as it is stored → column of rows.
    flags: grants that depend on the row → column of rows, 1 or 0.
    """

    access: Access
    rows: FromClause
    columns: Mapping[Place, Sql]
    values: Mapping[str, Sql]
    flags: Mapping[Grant, Sql] = field(default_factory=dict)

    def find(self, column: ColumnClause[Any]) -> Sql | None:
        return self.columns.get((column.table, column.key))


def source_of(access: Access, binds: Binds, grants: Sequence[Grant] = ()) -> Source:
    made = _made_values(access)
    asked = [grant for grant in grants if not isinstance(grant.rule, bool)]
    if access.rows == "all" and not (made or asked) and _is_one_table(access.resource):
        [table] = access.resource.tables
        alias = table.alias()
        columns = {(table, column.key): alias.c[column.key] for column in table.c}
        return Source(access, alias, columns, {})
    return _view(access, made, asked, binds)


def _is_one_table(resource: Resource) -> bool:
    return len(resource.tables) == 1 and resource.criterion is None


def _made_values(access: Access) -> list[str]:
    """Fields that are masked, or SQL over columns."""
    return [
        name
        for name, field in access.fields.items()
        if name in access.masked or not isinstance(field.expression, ColumnClause)
    ]


def stored_rows(access: Access) -> Source:
    """The tables themselves, policy aside: what a rule is written over."""
    tables = access.resource.tables
    rows: FromClause = tables[0]
    for table, link in zip(tables[1:], access.resource.links, strict=True):
        rows = rows.join(table, link)
    columns = {(table, column.key): column for table in tables for column in table.c}
    return Source(access, rows, columns, {})


def entity_source(access: Access, binds: Binds) -> tuple[Source, list[Sql]]:
    """The tables themselves, from which mapped objects can be made, and which rows may be read."""
    values = {name: _value(access, name, binds) for name in _made_values(access)}
    return replace(stored_rows(access), values=values), list(_readable(access, binds))


def _view(access: Access, made: list[str], asked: list[Grant], binds: Binds) -> Source:
    stored = stored_rows(access)
    inside = [column.label(f"c{at}") for at, column in enumerate(stored.columns.values())]
    inside += [_value(access, name, binds).label(f"v{at}") for at, name in enumerate(made)]
    flags = [flag(grant.rule, grant.rights.access, binds) for grant in asked]
    inside += [each.label(f"g{at}") for at, each in enumerate(flags)]
    view = select(*inside).select_from(stored.rows).where(*_readable(access, binds)).subquery()
    columns = {place: view.c[f"c{at}"] for at, place in enumerate(stored.columns)}
    values = {name: view.c[f"v{at}"] for at, name in enumerate(made)}
    granted = {grant: view.c[f"g{at}"] for at, grant in enumerate(asked)}
    return Source(access, view, columns, values, granted)


def _readable(access: Access, binds: Binds) -> Iterator[Sql]:
    """What rows must satisfy to be of this class and to be read by this actor."""
    if access.resource.criterion is not None:
        yield access.resource.criterion
    if access.rows == "none":
        yield NOTHING
    if access.predicate is not None:
        yield ruled(access.predicate, access, binds)


def _value(access: Access, name: str, binds: Binds) -> Sql:
    """The field as this actor may read it: NULL on the rows where it is masked."""
    value = access.fields[name].expression
    mask = access.masked.get(name)
    return value if mask is None else case((ruled(mask, access, binds), value))


def value_of(source: Source, name: str) -> Sql:
    """The field, over the rows of the source."""
    made = source.values.get(name)
    return replaced(source.access.fields[name].expression, source.find) if made is None else made


@dataclass(frozen=True, slots=True)
class Joined:
    """The target of a relation beside its parent.

    on: how target, parent and link table meet. link: the alias of the link table, if there is one.
    find: finds the columns of the relation's placeholders.
    """

    source: Source
    on: Sql
    link: FromClause | None
    find: Find

    @property
    def rows(self) -> tuple[FromClause, ...]:
        return (self.source.rows,) if self.link is None else (self.source.rows, self.link)


def joined(
    relation: Relation, access: Access, parent: Find, binds: Binds, grants: Sequence[Grant] = ()
) -> Joined:
    """parent: finds the columns of the row the relation starts from."""
    source = source_of(access, binds, grants)
    secondary = relation.join.secondary
    link = secondary.element.alias() if secondary is not None else None
    tables = {mark: table for table, mark in relation.join.remote.items()}

    def find(column: ColumnClause[Any]) -> Sql | None:
        if link is not None and column.table is secondary:
            return link.c[column.key]
        table = tables.get(column.table) if column.table is not None else None  # type: ignore[call-overload]
        return source.columns.get((table, column.key)) if table is not None else None

    def find_anywhere(column: ColumnClause[Any]) -> Sql | None:
        here = find(column)
        return parent(column) if here is None else here

    return Joined(source, replaced(relation.join.on, find_anywhere), link, find)


def replaced(expression: Sql, find: Find) -> Sql:
    """The expression over the rows of this statement."""

    def replace(part: object) -> Sql | None:
        return find(part) if isinstance(part, ColumnClause) else None

    return rewritten(expression, replace)


def ruled(rule: Sql, access: Access, binds: Binds) -> Sql:
    """A policy's rule as it is, with `me` turned into parameters of the statement."""

    def replace(part: object) -> Sql | None:
        if isinstance(part, BinaryExpression) and _is_membership(part):
            chosen = _membership(ruled(part.left, access, binds), part.right, access, binds)
            return chosen if part.operator is operators.in_op else ~chosen
        if isinstance(part, BindParameter) and part.key in ("me_id", "me_tenant"):
            return binds.me("id" if part.key == "me_id" else "tenant", part.type)
        return None

    return rewritten(plain(rule), replace)


def flag(rule: Folded, access: Access, binds: Binds) -> Sql:
    """1 where the rule is true, 0 elsewhere; NULL denies."""
    if isinstance(rule, bool):
        return literal_column("1" if rule else "0")
    return case((ruled(rule, access, binds), literal_column("1")), else_=literal_column("0"))


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
    return left.in_(members) if members else NOTHING
