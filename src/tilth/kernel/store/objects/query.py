"""What a query set asks for: a record that every step makes another of. Nothing is asked yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    UnaryExpression,
    asc,
    desc,
    nulls_first,
    nulls_last,
)
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.sql.operators import asc_op, desc_op, nulls_first_op, nulls_last_op

from tilth.errors import BadRequest, QueryError
from tilth.kernel.plan.conditions import Condition
from tilth.kernel.plan.draft import Draft
from tilth.kernel.plan.given import conditions_given
from tilth.kernel.plan.order import order_from, tie_breakers
from tilth.kernel.plan.shape import SortKey
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation

M = TypeVar("M")

Sql = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Excluded:
    """Rows for which all of these are true are left out; NULL is not true."""

    parts: tuple[Condition | Sql, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """SELECT … FOR UPDATE, where there is such a thing; SQLite has one writer anyway."""

    skip_locked: bool = False
    nowait: bool = False


@dataclass(frozen=True, slots=True)
class Query(Generic[M]):
    """sight: with which every name is looked up, and whose policies the rows pass.

    reason: why no policy is asked, when none is. where: over the slots in values.
    order: by the key when empty. start, stop: of the rows in order.
    related, prefetched: paths of relations, such as "team__city", loaded with the rows.
    """

    model: type[M]
    access: Access
    sight: Sight
    reason: str | None = None
    where: tuple[Condition | Sql | Excluded, ...] = ()
    values: tuple[Any, ...] = ()
    order: tuple[SortKey | Sql, ...] = ()
    start: int = 0
    stop: int | None = None
    related: tuple[str, ...] = ()
    prefetched: tuple[str, ...] = ()
    options: tuple[ORMOption, ...] = ()
    lock: Lock | None = None

    @property
    def is_sliced(self) -> bool:
        return self.start > 0 or self.stop is not None


def filtered(
    query: Query[M],
    expressions: tuple[Sql, ...],
    lookups: Mapping[str, Any],
    *,
    exclude: bool = False,
) -> Query[M]:
    """Raises QueryError for what cannot be looked up, and after a slice."""
    _check_whole(query, "filter")
    for each in expressions:
        # True, a name or None would be a condition that holds for no row, or for every one.
        if not (isinstance(each, ClauseElement) or hasattr(each, "__clause_element__")):
            raise QueryError(
                f"{query.model.__name__}: {each!r} is no condition. Give an expression, as "
                f"filter({query.model.__name__}.name == 'x'), or a look-up, as filter(name='x')."
            )
    draft = Draft(query.values)
    parts = (*expressions, *conditions_given(query.sight, draft, query.access, lookups))
    where: tuple[Condition | Sql | Excluded, ...] = parts
    if exclude:
        where = (Excluded(parts),) if parts else ()
    return replace(query, where=(*query.where, *where), values=draft.values)


def ordered(query: Query[M], by: tuple[str | Sql, ...]) -> Query[M]:
    """by: names of fields, "-" first for descending, or expressions. The key breaks ties."""
    _check_whole(query, "order")
    keys: list[SortKey | Sql] = []
    for each in by:
        keys += _sort_key(query, each) if isinstance(each, str) else [each]
    return replace(query, order=tuple(keys))


def reversed_order(query: Query[M]) -> Query[M]:
    """The same rows from the last to the first; not of a slice."""
    _check_whole(query, "reverse")
    keys = query.order or tuple(tie_breakers(query.access))
    turned = [_turned(each) for each in keys]
    breakers = [_turned(each) for each in tie_breakers(query.access)] if query.order else []
    return replace(query, order=(*turned, *breakers))


def _turned(key: SortKey | Sql) -> SortKey | Sql:
    if isinstance(key, SortKey):
        return replace(key, descending=not key.descending)
    if not isinstance(key, UnaryExpression) or key.modifier not in _OPPOSITE:
        return key.desc()
    inner: Sql = key.element
    if key.modifier in (asc_op, desc_op):
        return inner.asc() if key.modifier is desc_op else inner.desc()
    turned: Any = _turned(inner)
    return cast(Sql, _OPPOSITE[key.modifier](turned))


_OPPOSITE: Mapping[Any, Any] = MappingProxyType(
    {asc_op: desc, desc_op: asc, nulls_first_op: nulls_last, nulls_last_op: nulls_first}
)


def _sort_key(query: Query[M], name: str) -> Iterator[SortKey]:
    try:
        yield order_from(query.sight, query.access, [name])[0]
    except BadRequest as exc:
        raise QueryError(f"{query.model.__name__}: {exc.detail}") from exc


def _check_whole(query: Query[M], doing: str) -> None:
    if query.is_sliced:
        raise QueryError(f"Cannot {doing} after a slice: {doing} first, then take the slice.")


def sliced(query: Query[M], part: slice) -> Query[M]:
    """Of what is already a slice, its part. Raises QueryError."""
    start, stop = part.start or 0, part.stop
    if part.step not in (None, 1) or start < 0 or (stop is not None and stop < 0):
        raise QueryError("A slice counts from the first row, in steps of one: rows[10:20].")
    first = query.start + start
    last = None if stop is None else query.start + max(stop, start)
    ends = [each for each in (last, query.stop) if each is not None]
    end = min(ends) if ends else None
    return replace(query, start=first if end is None else min(first, end), stop=end)


def loaded(
    query: Query[M], related: tuple[str, ...] = (), prefetched: tuple[str, ...] = ()
) -> Query[M]:
    """Raises QueryError for what is no relation that the actor may follow."""
    for path in related:
        for relation in relations_along(query, path):
            if relation.many:
                raise QueryError(
                    f"{path!r} leads to several rows: load it with prefetch({path!r})."
                )
    for path in prefetched:
        list(relations_along(query, path))
    return replace(
        query,
        related=tuple(dict.fromkeys((*query.related, *related))),
        prefetched=tuple(dict.fromkeys((*query.prefetched, *prefetched))),
    )


def relations_along(query: Query[Any], path: str) -> Iterator[Relation]:
    """Of "team__city", team and then city."""
    access = query.access
    for name in path.split("__"):
        relations = dict(query.sight.relations(access))
        if name not in relations:
            listed = ", ".join(sorted(relations)) or "none"
            raise QueryError(
                f"{access.resource.title} has no relation {name!r}. Relations: {listed}."
            )
        yield relations[name]
        access = query.sight.access(relations[name].target)
