"""A node of the answer → one SELECT of its page, and around it the carriers and nested lists.

    SELECT carriers of page.c0 …, (SELECT json_group_array(…) FROM (block of a to-many relation))
    FROM (SELECT native values AS c0 … FROM root LEFT JOIN to-one … WHERE … ORDER BY … LIMIT …) page

To-many relations are aggregated outside the page, so only for the rows that are answered. Where there
are none, the carriers are selected at once: SQLite would sort what comes out of the page again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnClause,
    ColumnElement,
    FromClause,
    Select,
    Subquery,
    Text,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import visitors
from sqlalchemy.sql.compiler import SQLCompiler

from tilth.kernel.plan.shape import Branch, Grant, Hop, Node, known_of
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.kinds import Kind
from tilth.kernel.schema.resource import Join, Relation
from tilth.kernel.store.binds import Binds
from tilth.kernel.store.carrier import carrier
from tilth.kernel.store.decode import EXPANDED_ROWS, RowDecoder, Verdicts
from tilth.kernel.store.order import nulls_largest, sortable
from tilth.kernel.store.source import Joined, Source, joined, replaced, value_of

Sql = ColumnElement[Any]

PIECE = 90
"""Arguments of one function call: PostgreSQL takes 100, SQLite 127 at most."""


class PageSelect:
    """The inner SELECT while it grows: what it selects from, and its columns c0, c1 …"""

    def __init__(self, root: Source, binds: Binds) -> None:
        self.root, self.binds = root, binds
        self.rows: FromClause = root.rows
        self.columns: dict[str, Sql] = {}
        self._hops: dict[tuple[Relation, ...], Source] = {}

    def take(self, value: Sql) -> str:
        """Add a column; answers its label."""
        label = f"c{len(self.columns)}"
        self.columns[label] = value
        return label

    def hop(
        self,
        path: tuple[Relation, ...],
        access: Access,
        start: Source,
        grants: Sequence[Grant] = (),
    ) -> Source:
        """The row at the end of a to-one path, joined once however often it is asked for.

        grants: known to the first who asks, which is the node that is expanded there.
        """
        if path not in self._hops:
            there = joined(path[-1], access, start.find, self.binds, grants)
            self.rows = self.rows.outerjoin(there.source.rows, there.on)
            self._hops[path] = there.source
        return self._hops[path]

    def at(self, hops: Sequence[Hop]) -> Source:
        source = self.root
        for place, hop in enumerate(hops):
            path = tuple(step.relation for step in hops[: place + 1])
            source = self.hop(path, hop.access, source)
        return source

    def selected(self) -> Select[Any]:
        columns = (value.label(label) for label, value in self.columns.items())
        return select(*columns).select_from(self.rows)


@dataclass(frozen=True, slots=True)
class Spot:
    """A node's place in the page.

    values: field → label. there: label of a column that is NULL when a to-one finds no row.
    lists: each branch to aggregate, with the labels of the columns its join asks of this node.
    flags: grant that depends on the row → label.
    """

    node: Node
    values: Mapping[str, str]
    there: str | None
    ones: tuple[tuple[Branch, Spot], ...]
    lists: tuple[tuple[Branch, Mapping[Sql, str]], ...]
    flags: Mapping[Grant, str]

    @property
    def is_flat(self) -> bool:
        """Nothing is aggregated here or below."""
        return not self.lists and all(below.is_flat for _, below in self.ones)


def spot_in(page: PageSelect, node: Node, source: Source, path: tuple[Relation, ...] = ()) -> Spot:
    """Take everything the node needs into the page."""
    values = {name: page.take(value_of(source, name)) for name in node.fields}
    ones, lists = [], []
    for branch in node.branches:
        if branch.relation.single_row:
            here = (*path, branch.relation)
            target = page.hop(here, branch.node.access, source, branch.node.grants)
            ones.append((branch, spot_in(page, branch.node, target, here)))
        else:
            lists.append((branch, _taken_for(page, branch.relation.join, source)))
    there = page.take(_identity(source)) if path else None
    flags = {grant: page.take(value) for grant, value in source.flags.items()}
    return Spot(node, values, there, tuple(ones), tuple(lists), flags)


def _identity(source: Source) -> Sql:
    """A column that is never NULL in a row that exists."""
    resource = source.access.resource
    return replaced(resource.fields[resource.key[0]].expression, source.find)


def _taken_for(page: PageSelect, join: Join, source: Source) -> Mapping[Sql, str]:
    """The columns of the parent that a relation's join uses, whether the actor may read them or not."""
    columns = (part for part in visitors.iterate(join.on) if isinstance(part, ColumnClause))
    ours = {column: found for column in columns if (found := source.find(column)) is not None}
    return {column: page.take(found) for column, found in ours.items()}


class AnswerSelect:
    """The outer SELECT while it grows: carriers in order, and how to read them back.

    Without a page around it there is only one SELECT, over the columns of the inner one.
    """

    def __init__(
        self, columns: Mapping[str, Sql], binds: Binds, *, page: Subquery | None, nested: bool
    ) -> None:
        self.columns, self.binds, self.nested = columns, binds, nested
        self.page = page
        self.carriers: list[Sql] = []

    def read(self, spot: Spot) -> RowDecoder:
        fields = tuple(self._field(spot, name) for name in spot.node.fields)
        ones = tuple(self._one(branch, below) for branch, below in spot.ones)
        lists = tuple(self._list(branch, labels) for branch, labels in spot.lists)
        return RowDecoder(fields, ones, lists, self._verdicts(spot))

    def _verdicts(self, spot: Spot) -> Verdicts | None:
        if not spot.node.grants:
            return None
        flags = spot.flags.items()
        asked = tuple((grant.key, self._add(self.columns[label])) for grant, label in flags)
        return Verdicts(known_of(spot.node.grants), asked)

    def _field(self, spot: Spot, name: str) -> tuple[str, int, Any]:
        kind = spot.node.access.fields[name].kind
        value = self.columns[spot.values[name]]
        return name, self._add(self._carrier(kind, value)), kind.decode

    def _carrier(self, kind: Kind, value: Sql) -> Sql:
        return carrier(self.binds.dialect.name, kind, value, nested=self.nested)

    def _one(self, branch: Branch, spot: Spot) -> tuple[str, int, RowDecoder]:
        assert spot.there is not None  # only the root has none
        place = self._add(self.columns[spot.there].is_not(None))
        return branch.relation.name, place, self.read(spot)

    def _list(self, branch: Branch, labels: Mapping[Sql, str]) -> tuple[str, int, RowDecoder, bool]:
        parent = {column: self.columns[label] for column, label in labels.items()}
        if self.binds.dialect.name == "mariadb":
            array, decoder = list_in_one(branch, parent, self.binds)
            # It would be a text inside the array.
            array = func.json_compact(array) if self.nested else array
            return branch.relation.name, self._add(array), decoder, branch.relation.many
        assert self.page is not None  # only what is flat goes without one
        array, decoder = list_of(branch, parent, self.page, self.binds)
        if self.binds.dialect.name == "postgresql":
            array = array if self.nested else cast(array, Text)
        elif self.nested:
            array = func.json(array)  # or it would be a text inside the array
        return branch.relation.name, self._add(array), decoder, branch.relation.many

    def _add(self, value: Sql) -> int:
        self.carriers.append(value)
        return len(self.carriers) - 1


def list_of(
    branch: Branch, known: Mapping[Sql, Sql], parent: Subquery, binds: Binds
) -> tuple[Sql, RowDecoder]:
    """A scalar subquery: the JSON array of the relation's rows, each an array of carriers.

    known: the columns of the parent that the join asks for.
    """
    there = joined(branch.relation, branch.node.access, known.get, binds, branch.node.grants)
    page = PageSelect(there.source, binds)
    spot = spot_in(page, branch.node, there.source)
    inner = (
        page.selected()
        .select_from(*there.rows[1:])
        .where(there.on)
        .order_by(*_order(branch.relation, there, binds.dialect.name))
        .limit(EXPANDED_ROWS + 1 if branch.relation.many else 1)
        .correlate(parent)
        .subquery()
    )
    answer = AnswerSelect(dict(inner.c), binds, page=inner, nested=True)
    decoder = answer.read(spot)
    wide = len(answer.carriers) > PIECE
    array = _aggregated(answer.carriers, inner, binds.dialect.name)
    return array, replace(decoder, pieced=wide)


def list_in_one(branch: Branch, known: Mapping[Sql, Sql], binds: Binds) -> tuple[Sql, RowDecoder]:
    """The same for MariaDB, whose subqueries in FROM cannot see the parent, but whose array has an order."""
    there = joined(branch.relation, branch.node.access, known.get, binds, branch.node.grants)
    page = PageSelect(there.source, binds)
    spot = spot_in(page, branch.node, there.source)
    answer = AnswerSelect(page.columns, binds, page=None, nested=True)
    decoder = answer.read(spot)
    array = OrderedArray(
        func.json_array(*answer.carriers),
        list(_order(branch.relation, there, binds.dialect.name)),
        EXPANDED_ROWS + 1 if branch.relation.many else 1,
    )
    rows = (page.rows, *there.rows[1:])
    found = select(array).select_from(*rows).where(there.on).correlate_except(*rows)
    return func.coalesce(found.scalar_subquery(), literal_column("'[]'")), decoder


class OrderedArray(ColumnElement[Any]):
    """JSON_ARRAYAGG(item ORDER BY … LIMIT most)."""

    inherit_cache = False
    type = Text()

    def __init__(self, item: Sql, order: Sequence[Sql], most: int) -> None:
        self.item, self.order, self.most = item, order, most


@compiles(OrderedArray, "mariadb")
def ordered_array(element: OrderedArray, compiler: SQLCompiler, **options: Any) -> str:
    item = compiler.process(element.item, **options)
    order = ", ".join(compiler.process(term, **options) for term in element.order)
    return f"JSON_ARRAYAGG({item} ORDER BY {order} LIMIT {element.most})"


def _order(relation: Relation, there: Joined, dialect_name: str) -> Iterator[Sql]:
    """The relation's own order, then the key, so that an answer repeats itself."""

    def find(column: ColumnClause[Any]) -> Sql | None:
        found = there.find(column)
        return None if found is None else sortable(found, dialect_name)

    for term in relation.order:
        yield nulls_largest(replaced(term, find), dialect_name)
    resource = there.source.access.resource
    for name in resource.key:
        yield replaced(resource.fields[name].expression, there.source.find)


def _aggregated(carriers: Sequence[Sql], rows: Subquery, dialect_name: str) -> Sql:
    """The subquery is ordered and nothing regroups it, so the array is in its order."""
    is_postgresql = dialect_name == "postgresql"
    array_of = func.json_build_array if is_postgresql else func.json_array
    pieces = [carriers[start : start + PIECE] for start in range(0, len(carriers), PIECE)]
    row = array_of(*(array_of(*piece) for piece in pieces)) if pieces[1:] else array_of(*carriers)
    collected = func.json_agg(row) if is_postgresql else func.json_group_array(row)
    if is_postgresql:
        collected = func.coalesce(collected, cast(literal_column("'[]'"), JSON))
    return select(collected).select_from(rows).scalar_subquery()
