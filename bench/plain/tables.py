"""An adopted database → its tables, and the SQL that answers what an endpoint should.

Names, kinds and which columns a relation joins are taken from Tilth; every value is read by SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, inspect

from plain.database import Database, quoted
from plain.values import Normal
from tilth import Tilth

Row = tuple[Normal, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """kind: of an array "array:" and the kind of its items."""

    name: str
    kind: str
    sortable: bool
    lookups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Link:
    """A relation. on: pairs of columns from the parent (p) to the child (c) or link table (l)."""

    name: str
    target: str
    many: bool
    on: tuple[tuple[str, str], ...]
    through: str | None = None
    far: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    resource: str
    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    links: tuple[Link, ...]

    def field(self, name: str) -> Field:
        return next(field for field in self.fields if field.name == name)


def tables_of(app: Tilth) -> dict[str, Table]:
    schema = app.freeze().schema
    return {
        name: Table(
            name,
            inspect(resource.model).local_table.name,
            tuple(
                Field(each.name, _kind(each.kind), each.kind.sortable, each.kind.lookups)
                for each in resource.fields.values()
            ),
            resource.key,
            tuple(
                _link(inspect(resource.model).relationships[each.name], each.target)
                for each in resource.relations.values()
            ),
        )
        for name, resource in schema.items()
    }


def _kind(kind: Any) -> str:
    return f"array:{kind.item.name}" if kind.item else str(kind.name)


def _link(prop: Any, target: str) -> Link:
    pairs = tuple((near.name, far.name) for near, far in _pairs(prop))
    if prop.secondary is None:
        return Link(prop.key, target, prop.uselist, pairs)
    far = tuple((link.name, remote.name) for remote, link in prop.secondary_synchronize_pairs)
    return Link(prop.key, target, prop.uselist, pairs, prop.secondary.name, far)


def _pairs(prop: Any) -> Sequence[tuple[Column[Any], Column[Any]]]:
    if prop.secondary is not None:
        return list(prop.synchronize_pairs)
    return list(prop.local_remote_pairs)


def count(database: Database, table: Table, where: str = "", values: Sequence[Any] = ()) -> int:
    [(found,)] = database.rows(f"SELECT count(*) FROM {quoted(table.name)}{where}", values)
    return int(found)


def ordering(database: Database, field: Field, *, descending: bool = False, of: str = "r.") -> str:
    """NULL is the largest value; enums sort by their text.

    of: the table's alias; without one PostgreSQL would sort by what is selected under that name.
    """
    column = of + quoted(field.name)
    if field.kind == "enum" and database.dialect == "postgresql":
        column = f"CAST({column} AS text)"
    return f"{column} DESC NULLS FIRST" if descending else f"{column} ASC NULLS LAST"


def by_key(database: Database, table: Table, of: str = "r.") -> list[str]:
    return [ordering(database, table.field(name), of=of) for name in table.key]


def rows(
    database: Database, table: Table, *, order: Sequence[str], most: int | None = None
) -> list[Row]:
    """Rows in the order of table.fields."""
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    limited = f" LIMIT {most}" if most is not None else ""
    found = database.rows(
        f"SELECT {shown(database, table)} FROM {quoted(table.name)} r{ordered}{limited}"
    )
    return [normal_row(database, table, row) for row in found]


def shown(database: Database, table: Table, of: str = "") -> str:
    return ", ".join(database.shown(of + quoted(field.name), field.kind) for field in table.fields)


def normal_row(database: Database, table: Table, row: Sequence[Any]) -> Row:
    return tuple(
        database.normal(raw, field.kind) for raw, field in zip(row, table.fields, strict=True)
    )


def related(
    database: Database, table: Table, link: Link, target: Table, most: int
) -> list[tuple[Row, Row]]:
    """(parent, child) for every child of the first parents by key, in the order of both keys."""
    parents = f"SELECT * FROM {quoted(table.name)} r"
    if table.key:
        parents += f" ORDER BY {', '.join(by_key(database, table))}"
    order = [*by_key(database, table, "p."), *by_key(database, target, "c.")]
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    found = database.rows(
        f"SELECT {shown(database, table, 'p.')}, {shown(database, target, 'c.')}"
        f" FROM ({parents} LIMIT {most}) p {_joins(link, target)}{ordered}"
    )
    width = len(table.fields)
    return [
        (
            normal_row(database, table, row[:width]),
            normal_row(database, target, row[width:]),
        )
        for row in found
    ]


def most_children(database: Database, table: Table, link: Link, target: Table) -> int:
    """How many children the parent with the most of them has."""
    columns = ", ".join(f"p.{quoted(name)}" for name in table.key)
    [(found,)] = database.rows(
        f"SELECT max(n) FROM (SELECT count(*) AS n FROM {quoted(table.name)} p"
        f" {_joins(link, target)} GROUP BY {columns}) counted"
    )
    return int(found or 0)


def _joins(link: Link, target: Table) -> str:
    if link.through is None:
        return f"JOIN {quoted(target.name)} c ON {_equal('p', 'c', link.on)}"
    return (
        f"JOIN {quoted(link.through)} l ON {_equal('p', 'l', link.on)}"
        f" JOIN {quoted(target.name)} c ON {_equal('l', 'c', link.far)}"
    )


def _equal(left: str, right: str, pairs: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"{left}.{quoted(a)} = {right}.{quoted(b)}" for a, b in pairs)
