"""A rule with queries of its own → the same, its tables under names that nothing else uses.

Where SQLAlchemy joins a link table for a relation it takes one of the same name inside a rule for
that (2.0 does, in selectinload), and the rule would mean something else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Select, Table
from sqlalchemy.sql.selectable import NamedFromClause

from tilth.kernel.schema.rewrite import rewritten


def apart(rule: ColumnElement[bool], tables: Collection[FromClause]) -> ColumnElement[bool]:
    """tables: of the rows the rule is about, which keep their names."""
    around = frozenset(tables)

    def replace(part: object) -> Any:
        return _renamed(part, around) if isinstance(part, Select) else None

    return rewritten(rule, replace)


def _renamed(query: Select[Any], around: frozenset[FromClause]) -> Select[Any]:
    """Queries inside first: the same table in one of them is another."""
    own = _tables_of(query, around)

    def replace(part: object) -> Any:
        if part is query or not isinstance(part, Select):
            return None
        return _renamed(part, around | own)

    return _aliased(rewritten(query, replace), {table: table.alias() for table in own})


def _tables_of(query: Select[Any], around: frozenset[FromClause]) -> frozenset[Table]:
    """any() and has() say which tables are not those around them; elsewhere the names decide."""
    said: Any = getattr(query, "_correlate_except", None)
    found = query.get_final_froms() if said is None else said
    return frozenset(
        each
        for each in found
        if isinstance(each, Table) and (said is not None or each not in around)
    )


def _aliased(query: Select[Any], aliases: Mapping[Table, NamedFromClause]) -> Select[Any]:
    def replace(part: object) -> Any:
        if isinstance(part, Column):
            alias = aliases.get(part.table)
            return None if alias is None else alias.c[part.key]
        return aliases.get(part) if isinstance(part, Table) else None

    return rewritten(query, replace)
