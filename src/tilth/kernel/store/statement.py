"""ReadShape → one SQL statement, its parameters and how to read its rows back. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    exists,
    func,
    literal_column,
    null,
    select,
    true,
    tuple_,
)
from sqlalchemy.engine import Dialect

from tilth.kernel.plan.shape import Owner, ReadShape, known_of
from tilth.kernel.schema.types import MixedText
from tilth.kernel.store.binds import Binds, Parameter, bind_type
from tilth.kernel.store.block import AnswerSelect, PageSelect, Spot, spot_in
from tilth.kernel.store.decode import RowDecoder, Verdicts
from tilth.kernel.store.mixed import spellings
from tilth.kernel.store.order import Key, beyond, key_of, ordered, read_backwards, stored_key
from tilth.kernel.store.source import Source, joined, replaced, source_of, value_of
from tilth.kernel.store.where import sql_of

Sql = ColumnElement[Any]

COUNTED_ROWS = 10_000
"""Up to here an estimated count is exact."""


@dataclass(frozen=True, slots=True)
class Statement:
    """sql: with the driver's placeholders.

    head: each row starts with found, total, the flags of the owner, "is a row".
    keys: how many columns at the end of a row are the sort keys as stored.
    owner: what the actor may do to the owner of a sub-collection, when that was asked.
    """

    sql: str
    parameters: tuple[Parameter, ...]
    decoder: RowDecoder
    head: bool
    keys: int
    owner: Verdicts | None = None


def statement_for(shape: ReadShape, dialect: Dialect) -> Statement:
    return _one_row(shape, dialect) if shape.key_slots else _many_rows(shape, dialect)


def _one_row(shape: ReadShape, dialect: Dialect) -> Statement:
    binds = Binds(dialect)
    page = PageSelect(source_of(shape.root.access, binds, shape.root.grants), binds)
    spot = spot_in(page, shape.root, page.root)
    terms = key_terms(page.root, shape.key_slots, binds)
    if spot.is_flat:
        answer = AnswerSelect(page.columns, binds, page=None, nested=False)
        decoder = answer.read(spot)
        chosen = select(*answer.carriers).select_from(page.rows).where(*terms).limit(1)
        return compiled_from(chosen, binds, decoder)
    rows = page.selected().where(*terms).limit(1).subquery("page")
    answer = AnswerSelect(dict(rows.c), binds, page=rows, nested=False)
    decoder = answer.read(spot)
    return compiled_from(select(*answer.carriers).select_from(rows), binds, decoder)


def _many_rows(shape: ReadShape, dialect: Dialect) -> Statement:
    binds = Binds(dialect)
    page, terms = _selection(shape, binds)
    spot = spot_in(page, shape.root, page.root)
    keys = _keys(shape, page, binds)
    if shape.window.key_slots:
        terms.append(beyond(keys, shape.window, binds))
    head = _head(shape, binds)
    if head is None and spot.is_flat:
        return _flat(shape, page, spot, terms, keys, binds)
    labels = [page.take(key.value) for key in keys]
    there = page.take(literal_column("1"))
    inner = _windowed(page.selected().where(*terms), keys, shape, binds).subquery("page")
    outside = [replace(key, value=inner.c[at]) for key, at in zip(keys, labels, strict=True)]
    answer = AnswerSelect(dict(inner.c), binds, page=inner, nested=False)
    decoder = answer.read(spot)
    carried = [*answer.carriers, *(stored_key(key.value, dialect.name) for key in outside)]
    outer = _beside(head, inner, inner.c[there], carried)
    outer = outer.order_by(*(ordered(key, dialect.name) for key in outside))
    made = compiled_from(outer, binds, decoder, head=head is not None, keys=len(keys))
    return replace(made, owner=_verdicts(shape.owner))


def _flat(
    shape: ReadShape,
    page: PageSelect,
    spot: Spot,
    terms: Sequence[Sql],
    keys: Sequence[Key],
    binds: Binds,
) -> Statement:
    answer = AnswerSelect(page.columns, binds, page=None, nested=False)
    decoder = answer.read(spot)
    carried = [*answer.carriers, *(stored_key(key.value, binds.dialect.name) for key in keys)]
    chosen = select(*carried).select_from(page.rows).where(*terms)
    return compiled_from(_windowed(chosen, keys, shape, binds), binds, decoder, keys=len(keys))


def _keys(shape: ReadShape, page: PageSelect, binds: Binds) -> list[Key]:
    """In the direction of reading: to read the rows before a cursor, every key is turned round."""
    values = [value_of(page.at(sort.hops), sort.field) for sort in shape.order]
    keys = [key_of(sort, v, binds) for sort, v in zip(shape.order, values, strict=True)]
    return read_backwards(keys) if shape.window.kind == "before" else keys


def _windowed(
    rows: Select[Any], keys: Sequence[Key], shape: ReadShape, binds: Binds
) -> Select[Any]:
    ordering = [ordered(key, binds.dialect.name) for key in keys]
    rows = rows.order_by(*ordering).limit(binds.window("limit"))
    return rows.offset(binds.window("offset")) if shape.window.kind == "offset" else rows


def _beside(
    head: Select[Any] | None, page: Subquery, there: Sql, carried: Sequence[Sql]
) -> Select[Any]:
    """The page alone, or beside the one row of the head, which is there even without a page."""
    if head is None:
        return select(*carried).select_from(page)
    one = head.subquery("head")
    return select(*one.c, there, *carried).select_from(one.outerjoin(page, true()))


def estimate_for(shape: ReadShape, dialect: Dialect) -> Statement:
    """The planner's guess of the total, on PostgreSQL: one row, one column of JSON."""
    binds = Binds(dialect)
    page, terms = _selection(shape, binds)
    guess = compiled_from(_matching(page, terms), binds, RowDecoder(()))
    # EXPLAIN has no expression in SQLAlchemy; nothing of the request is in the text it prefixes.
    return Statement(
        f"EXPLAIN (FORMAT JSON) {guess.sql}", guess.parameters, guess.decoder, False, 0
    )


def _selection(shape: ReadShape, binds: Binds) -> tuple[PageSelect, list[Sql]]:
    """What to select from and which rows, before any window."""
    if shape.owner is None:
        page = PageSelect(source_of(shape.root.access, binds, shape.root.grants), binds)
        terms: list[Sql] = []
    else:
        page, terms = _members(shape.owner, shape, binds)
    if shape.where is not None:
        terms.append(sql_of(shape.where, page.root, binds))
    return page, terms


def _members(owner: Owner, shape: ReadShape, binds: Binds) -> tuple[PageSelect, list[Sql]]:
    """The rows of a sub-collection: the parent is one row, so joining it multiplies nothing.

    Through a link table, which might hold a link twice, the keys are looked up beside.
    """
    parent = source_of(owner.access, binds)
    there = joined(owner.relation, shape.root.access, parent.find, binds, shape.root.grants)
    of_parent = list(key_terms(parent, owner.key_slots, binds))
    if there.link is None:
        page = PageSelect(there.source, binds)
        page.rows = page.rows.join(parent.rows, there.on)
        return page, of_parent
    page = PageSelect(source_of(shape.root.access, binds, shape.root.grants), binds)
    linked = select(*_key(there.source)).select_from(*there.rows, parent.rows)
    return page, [tuple_(*_key(page.root)).in_(linked.where(there.on, *of_parent))]


def _key(source: Source) -> list[Sql]:
    resource = source.access.resource
    return [replaced(resource.fields[name].expression, source.find) for name in resource.key]


def key_terms(source: Source, slots: Sequence[int], binds: Binds) -> Iterator[Sql]:
    resource = source.access.resource
    for name, value, slot in zip(resource.key, _key(source), slots, strict=True):
        if isinstance(value.type, MixedText):
            yield value.in_(spellings(slot, binds))
        else:
            yield value == binds.slot(slot, bind_type(resource.fields[name].kind, value.type))


def _head(shape: ReadShape, binds: Binds) -> Select[Any] | None:
    """One row that is there even when the page is empty: is the parent found, how many in all.

    And of the parent, what was asked of it.
    """
    if shape.owner is None and shape.counting == "none":
        return None
    found: Sql = true()
    flags: list[Sql] = []
    if shape.owner is not None:
        parent = source_of(shape.owner.access, binds, shape.owner.grants)
        terms = list(key_terms(parent, shape.owner.key_slots, binds))
        found = exists(select(literal_column("1")).select_from(parent.rows).where(*terms))
        flags = [
            select(flag).where(*terms).scalar_subquery().label(f"g{at}")
            for at, flag in enumerate(parent.flags.values())
        ]
    total = null() if shape.counting == "none" else _total(shape, binds)
    return select(found.label("found"), total.label("total"), *flags)


def _verdicts(owner: Owner | None) -> Verdicts | None:
    """The flags of the owner follow found and total."""
    if owner is None or not owner.grants:
        return None
    asked = [grant.key for grant in owner.grants if not isinstance(grant.rule, bool)]
    return Verdicts(known_of(owner.grants), tuple((key, 2 + at) for at, key in enumerate(asked)))


def _total(shape: ReadShape, binds: Binds) -> Sql:
    page, terms = _selection(shape, binds)
    matching = _matching(page, terms)
    if shape.counting == "estimated" and binds.dialect.name == "postgresql":
        matching = matching.limit(COUNTED_ROWS + 1)
    return select(func.count()).select_from(matching.subquery()).scalar_subquery()


def _matching(page: PageSelect, terms: Sequence[Sql]) -> Select[Any]:
    return select(literal_column("1").label("one")).select_from(page.rows).where(*terms)


def compiled_from(
    statement: Select[Any],
    binds: Binds,
    decoder: RowDecoder,
    *,
    head: bool = False,
    keys: int = 0,
) -> Statement:
    compiled = statement.compile(dialect=binds.dialect)
    return Statement(str(compiled), binds.parameters(compiled), decoder, head, keys)
