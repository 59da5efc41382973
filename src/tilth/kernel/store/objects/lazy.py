"""The half of a query set that asks nothing: each step makes another set, with a cache of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Generic, Self, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.orm.interfaces import ORMOption

from tilth.kernel.store.objects.query import (
    Lock,
    Query,
    filtered,
    loaded,
    ordered,
    sliced,
)

M = TypeVar("M")
Sql = ColumnElement[Any]

SHOWN = 20
"""Rows in a repr; one more is read, to tell whether there are more."""


class Lazy(Generic[M]):
    """Inherited, against the custom of the house, so that every step answers its own kind of set."""

    def __init__(self, query: Query[M]) -> None:
        self._query = query
        self._cache: list[M] | None = None
        self._generation = 0

    def _with(self, query: Query[M]) -> Self:
        raise NotImplementedError

    def filter(self, *expressions: Sql, **lookups: Any) -> Self:
        """Rows for which all of it is true.

        lookups: those of the API, `age__gte=18, team__name="Avengers"`, with Python values; a mapped
        object stands for its key, None for NULL. expressions: SQLAlchemy's, over the model.
        Raises QueryError for an unknown name or a value that does not fit.
        """
        return self._with(filtered(self._query, expressions, lookups))

    def exclude(self, *expressions: Sql, **lookups: Any) -> Self:
        """All other rows than filter() with the same arguments has, those with NULL included."""
        return self._with(filtered(self._query, expressions, lookups, exclude=True))

    def order_by(self, *by: str | Sql) -> Self:
        """In place of any order before: `"-age", "team__name"`, or expressions; then by the key.

        NULL sorts as the largest value, on both databases.
        """
        return self._with(ordered(self._query, by))

    def select_related(self, *paths: str) -> Self:
        """To-one relations, `"team", "team__city"`, loaded by the same statement."""
        return self._with(loaded(self._query, related=paths))

    def prefetch(self, *paths: str) -> Self:
        """Relations of any kind, loaded by one more statement for each step of each path."""
        return self._with(loaded(self._query, prefetched=paths))

    def load(self, *options: ORMOption) -> Self:
        """SQLAlchemy's own loader options. Relations loaded this way ask no policy."""
        return self._with(replace(self._query, options=(*self._query.options, *options)))

    def for_update(self, *, skip_locked: bool = False, nowait: bool = False) -> Self:
        """Rows locked until the unit of work ends. SQLite locks the database when writing begins."""
        return self._with(replace(self._query, lock=Lock(skip_locked, nowait)))

    def all(self) -> Self:
        """The same rows, to be read anew."""
        return self._with(self._query)

    def _keep(self, rows: list[M], generation: int) -> list[M]:
        self._cache, self._generation = rows, generation
        return rows

    def _kept(self, generation: int) -> list[M] | None:
        """What was read, unless a rollback, expire() or close() has made it worthless since."""
        return self._cache if self._generation == generation else None

    def _forget(self) -> None:
        self._cache = None

    def __copy__(self) -> Self:
        """Like all(): to be read anew."""
        return self._with(self._query)

    def __deepcopy__(self, memo: object) -> Self:
        return self._with(self._query)

    def _cut(self, part: slice, generation: int) -> Self:
        cut = self._with(sliced(self._query, part))
        kept = self._kept(generation)
        if kept is not None:
            cut._keep(kept[part], generation)
        return cut

    def _named(self, state: str) -> str:
        return f"<objects of {self._query.model.__name__}{state}>"

    def _shown(self, rows: Sequence[M]) -> str:
        listed = [repr(each) for each in rows[:SHOWN]]
        more = ["…"] if len(rows) > SHOWN else []
        return self._named(f": [{', '.join([*listed, *more])}]")
