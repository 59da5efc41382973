"""Query → SELECT of mapped objects, of their fields, or of their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    UnaryExpression,
    and_,
    exists,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import class_mapper, joinedload, selectinload, with_loader_criteria
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.orm.strategy_options import _AbstractLoad
from sqlalchemy.sql import visitors
from sqlalchemy.sql.operators import desc_op, nulls_first_op, nulls_last_op
from sqlalchemy.sql.selectable import SelectBase

from tilth.errors import BadRequest, QueryError
from tilth.kernel.plan.given import exposed_as
from tilth.kernel.plan.order import place_from, tie_breakers
from tilth.kernel.plan.shape import SortKey
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.rewrite import rewritten
from tilth.kernel.store.block import PageSelect
from tilth.kernel.store.objects.apart import apart
from tilth.kernel.store.objects.query import Excluded, Query, relations_along
from tilth.kernel.store.order import key_of
from tilth.kernel.store.order import ordered as in_order
from tilth.kernel.store.record import ValueBinds
from tilth.kernel.store.sessions.loads import Fetch, Limits, Origin, deferred
from tilth.kernel.store.source import entity_source, value_of
from tilth.kernel.store.where import sql_of

Sql = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """page: the FROM as it grows. terms: which rows."""

    query: Query[Any]
    binds: ValueBinds
    page: PageSelect
    terms: tuple[Sql, ...]


def selection_of(query: Query[Any], dialect: Dialect) -> Selection:
    binds = ValueBinds(dialect, query.sight.actor, query.values)
    source, readable = entity_source(query.access, binds)
    page = PageSelect(source, binds)
    terms = [*readable, *(_term(part, page, binds) for part in query.where)]
    return Selection(query, binds, page, tuple(terms))


def _term(part: Any, page: PageSelect, binds: ValueBinds) -> Sql:
    if isinstance(part, Excluded):
        told = and_(*(_term(each, page, binds) for each in part.parts))
        # NOT alone would leave out the rows for which nobody knows.
        return told.self_group().is_not(true())
    return part if isinstance(part, ColumnElement) else sql_of(part, page.root, binds)


def objects_selected(chosen: Selection, origin: Origin) -> Select[Any]:
    """Of the mapped class, with what is loaded beside."""
    query = chosen.query
    asked = _windowed(chosen, select(query.model))
    if query.lock is not None:
        asked = asked.with_for_update(
            of=query.model, skip_locked=query.lock.skip_locked, nowait=query.lock.nowait
        )
    return asked.options(*_loads(query, chosen.binds.dialect), *query.options, origin)


def values_selected(chosen: Selection, names: Sequence[str]) -> Select[Any]:
    """Of the fields of these names, "team__name" among them, masked as the actor may read them."""
    columns = []
    for name in names:
        key = _place_of(chosen.query, name)
        columns.append(value_of(chosen.page.at(key.hops), key.field).label(name))
    return _windowed(chosen, select(*columns))


def _place_of(query: Query[Any], name: str) -> SortKey:
    try:
        return place_from(query.sight, query.access, name)
    except BadRequest as exc:
        raise QueryError(f"{query.model.__name__}: {exc.detail}") from exc


def counted(chosen: Selection) -> Select[Any]:
    one: Select[Any] = select(literal_column("1").label("one"))
    if chosen.query.is_sliced:
        one = _windowed(chosen, one)
    else:
        one = one.select_from(chosen.page.rows).where(*chosen.terms)
    return select(func.count()).select_from(one.subquery())


def looked_for(chosen: Selection) -> Select[Any]:
    """Is there one?"""
    one: Select[Any] = select(literal_column("1"))
    if chosen.query.is_sliced:
        return select(exists(_windowed(chosen, one)))
    return select(exists(one.select_from(chosen.page.rows).where(*chosen.terms)))


def aggregated(chosen: Selection, expressions: Mapping[str, Sql]) -> Select[Any]:
    if chosen.query.is_sliced:
        raise QueryError("Cannot aggregate over a slice: aggregate the whole, or count in Python.")
    columns = [each.label(name) for name, each in expressions.items()]
    return select(*columns).select_from(chosen.page.rows).where(*chosen.terms)


def keys_selected(chosen: Selection) -> Select[Any]:
    resource = chosen.query.access.resource
    if not resource.key:
        raise QueryError(f"{resource.title} has no key by which its rows could be changed.")
    return _windowed(chosen, select(*(resource.fields[name].expression for name in resource.key)))


def _windowed(chosen: Selection, columns: Select[Any]) -> Select[Any]:
    query = chosen.query
    ordering = list(_ordering(chosen))
    asked = columns.select_from(chosen.page.rows).where(*chosen.terms).order_by(*ordering)
    if query.start:
        asked = asked.offset(query.start)
    return asked if query.stop is None else asked.limit(query.stop - query.start)


def _ordering(chosen: Selection) -> Iterator[Sql]:
    """By the key at the end, so that a slice is the same every time."""
    query, seen = chosen.query, set()
    for each in (*query.order, *tie_breakers(query.access)):
        if not isinstance(each, SortKey):
            yield _nulls_placed(each)
            continue
        place = (tuple(hop.relation.name for hop in each.hops), each.field)
        if place not in seen:
            seen.add(place)
            value = value_of(chosen.page.at(each.hops), each.field)
            yield in_order(key_of(each, value, chosen.binds), chosen.binds.dialect.name)


def _nulls_placed(expression: Sql) -> Sql:
    """Where names and PostgreSQL put them, unless the expression says where."""
    if not isinstance(expression, UnaryExpression):
        return expression.nulls_last()
    if expression.modifier in (nulls_first_op, nulls_last_op):
        return expression
    return expression.nulls_first() if expression.modifier is desc_op else expression.nulls_last()


def _loads(query: Query[Any], dialect: Dialect) -> Iterator[ORMOption]:
    yield from _hiding(query.access)
    for path in query.related:
        yield from _beside(query, path, dialect)
    for path in query.prefetched:
        yield _load_along(query, path, dialect, joined=False)


def _beside(query: Query[Any], path: str, dialect: Dialect) -> Iterator[ORMOption]:
    yield _load_along(query, path, dialect, joined=True)
    access = query.access
    for relation in relations_along(query, path):
        access = query.sight.access(relation.target)
        criterion = _criterion(access, query.sight, dialect)
        if criterion is not None and not _asks_elsewhere(criterion):
            model = access.resource.model
            yield with_loader_criteria(
                model, _over_attributes(criterion, model), include_aliases=True
            )


def _load_along(query: Query[Any], path: str, dialect: Dialect, *, joined: bool) -> ORMOption:
    """A rule with a query of its own cannot go into a join: such rows come with a second statement."""
    load: Any = None
    access = query.access
    for relation in relations_along(query, path):
        attribute = getattr(access.resource.model, relation.name)
        access = query.sight.access(relation.target)
        criterion = _criterion(access, query.sight, dialect)
        by_join = joined and (criterion is None or not _asks_elsewhere(criterion))
        step = joinedload if by_join else selectinload
        start: Any = step if load is None else getattr(load, step.__name__)
        load = start(attribute).options(*_hiding(access))
    found: _AbstractLoad = load
    return found


def _over_attributes(criterion: Sql, model: type) -> Sql:
    """SQLAlchemy finds the columns that it must turn into those of an alias by their attributes."""
    attributes = {
        column: attribute.class_attribute.expression
        for attribute in class_mapper(model).column_attrs
        for column in attribute.columns
    }

    def replace(part: object) -> Sql | None:
        return attributes.get(part) if isinstance(part, Column) else None

    return rewritten(criterion, replace)


def limits_of(sight: Sight, dialect: Dialect, model: type) -> Limits:
    """What restricts the rows and columns of a class, whose objects a relation leads to.

    The most derived class that is exposed decides. Nothing does where none is: the API does not lead
    there either.
    """
    resource = exposed_as(sight.schema, model)
    if resource is None:
        return Limits()
    access = sight.access(resource.name)
    criterion = _criterion(access, sight, dialect)
    restricted = () if criterion is None else (with_loader_criteria(model, criterion),)
    return Limits(restricted, frozenset(_hidden(access)))


def _criterion(access: Access, sight: Sight, dialect: Dialect) -> Sql | None:
    """Which rows of the class the actor may see; None for all of them."""
    _, readable = entity_source(access, ValueBinds(dialect, sight.actor))
    return apart(and_(*readable), access.resource.tables) if readable else None


def _asks_elsewhere(criterion: Sql) -> bool:
    return any(isinstance(part, SelectBase) for part in visitors.iterate(criterion))


def _hiding(access: Access) -> Iterator[Any]:
    return deferred(access.resource.model, _hidden(access))


def _hidden(access: Access) -> Iterator[str]:
    """Fields that the actor may not read, or not on every row; keys are what objects are made of."""
    resource = access.resource
    held = {name for each in resource.relations.values() for name in each.local}
    for name in resource.fields:
        hidden = name not in access.fields or name in access.masked
        if hidden and name not in resource.key and name not in held:
            yield name


def origin_of(query: Query[Any], dialect: Dialect, fetch: Fetch) -> Origin:
    return Origin(lambda model: limits_of(query.sight, dialect, model), fetch)
