"""A query set for code without await."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from sqlalchemy import ColumnElement

from tilth.errors import QueryError
from tilth.kernel.store.objects import changing, reading
from tilth.kernel.store.objects.frames import frame_from
from tilth.kernel.store.objects.lazy import SHOWN, Lazy
from tilth.kernel.store.objects.query import Query, filtered, reversed_order, sliced
from tilth.kernel.store.scope import Scope

if TYPE_CHECKING:
    from pandas import DataFrame

    from tilth.kernel.store.objects.scopes import PlainScope

M = TypeVar("M")
Result = TypeVar("Result")


class QuerySet(Lazy[M]):
    """Rows of one model that the actor may see. Nothing is read until rows are needed.

    Reading all of them fills the cache, and a second loop runs no SQL; count, exists, first, get and
    aggregate read the cache when it is filled and never fill it. Every step makes another set with
    an empty cache. Changes made through a set empty its cache.
    """

    def __init__(self, scope: PlainScope, query: Query[M]) -> None:
        super().__init__(query)
        self._scope = scope

    def _with(self, query: Query[M]) -> QuerySet[M]:
        return QuerySet(self._scope, query)

    def _rows(self) -> list[M]:
        kept = self._kept(self._scope.generation())
        if kept is None:
            read = self._scope.do(
                lambda work: reading.rows_of(work.session, self._query, self._scope.fetch)
            )
            kept = self._keep(read, self._scope.generation())
        return kept

    def __iter__(self) -> Iterator[M]:
        return iter(self._rows())

    async def __aiter__(self) -> AsyncIterator[M]:
        for each in self._rows():
            yield each

    def __len__(self) -> int:
        return len(self._rows())

    def __bool__(self) -> bool:
        return bool(self._rows())

    def __contains__(self, row: object) -> bool:
        return row in self._rows()

    def __repr__(self) -> str:
        if self._scope.is_over:
            return self._named(", whose scope is closed")
        kept = self._kept(self._scope.generation())
        if kept is None:
            shown = sliced(self._query, slice(0, SHOWN + 1))
            kept = self._scope.do(
                lambda work: reading.rows_of(work.session, shown, self._scope.fetch)
            )
        return self._shown(kept)

    def __reduce__(self) -> tuple[type[list[M]], tuple[list[M]]]:
        """Pickled as a list of what was read."""
        return list, (self._rows(),)

    @overload
    def __getitem__(self, place: int) -> M: ...
    @overload
    def __getitem__(self, place: slice) -> QuerySet[M]: ...
    def __getitem__(self, place: int | slice) -> M | QuerySet[M]:
        """A slice is another set. One row of a set that is not read yet is a query of its own."""
        generation = self._scope.generation()
        if isinstance(place, slice):
            return self._cut(place, generation)
        kept = self._kept(generation)
        if kept is not None:
            return kept[place]
        if place < 0:
            raise QueryError(
                "Rows are counted from the first: use last(), or list() and then [-1]."
            )
        found = list(self._with(sliced(self._query, slice(place, place + 1))))
        if not found:
            raise IndexError(f"There is no row {place}.")
        return found[0]

    def count(self) -> int:
        kept = self._kept(self._scope.generation())
        if kept is not None:
            return len(kept)
        return self._scope.do(lambda work: reading.number_of_rows(work.session, self._query))

    def exists(self) -> bool:
        kept = self._kept(self._scope.generation())
        if kept is not None:
            return bool(kept)
        return self._scope.do(lambda work: reading.any_row(work.session, self._query))

    def first(self) -> M | None:
        kept = self._kept(self._scope.generation())
        rows = self[:1] if kept is None else kept
        return next(iter(rows), None)

    def last(self) -> M | None:
        kept = self._kept(self._scope.generation())
        if kept is not None:
            return kept[-1] if kept else None
        return next(iter(self._with(sliced(reversed_order(self._query), slice(0, 1)))), None)

    def get(self, *expressions: ColumnElement[Any], **lookups: Any) -> M:
        """The one row. Raises NotFound when there is none to be seen, SeveralRows for more."""
        query = filtered(self._query, expressions, lookups)
        return self._scope.do(lambda work: reading.only_row(work.session, query, self._scope.fetch))

    def values(self, *names: str) -> list[dict[str, Any]]:
        """Fields, and fields of to-one relations, `"name", "team__name"`, of every row.

        Where the actor may not read a field of a row, its value is None.
        """
        return self._scope.do(lambda work: reading.field_values(work.session, self._query, names))

    def aggregate(self, **expressions: ColumnElement[Any]) -> dict[str, Any]:
        """`aggregate(oldest=func.max(Hero.age))` over all rows, in one statement."""
        return self._scope.do(
            lambda work: reading.aggregate(work.session, self._query, expressions)
        )

    def iterator(self, chunk: int = 1000) -> Iterator[M]:
        """Every row once, chunk at a time in memory, past the cache."""
        fetch = self._scope.fetch
        parts = self._scope.do(
            lambda work: reading.rows_in_chunks(work.session, self._query, fetch, chunk)
        )
        while part := self._scope.do(lambda _: next(parts, ())):
            yield from part

    def explain(self, *, analyze: bool = False) -> str:
        """The database's plan. analyze: run the query too (PostgreSQL)."""
        return self._scope.do(
            lambda work: reading.explained(work.session, self._query, analyze=analyze)
        )

    def to_dataframe(self, *names: str) -> DataFrame:
        """A pandas frame of these fields, by default every one that may be read."""
        chosen = names or tuple(self._query.access.fields)
        return frame_from(self.values(*chosen), chosen)

    def create(self, **values: Any) -> M:
        """A new row, checked and told of like one that is posted.

        values: of fields; a mapped object for a to-one relation, a list of them for a many-to-many
        one, a list of dictionaries for new rows below this one. Raises Invalid, Forbidden, Conflict.
        """
        return self._change(lambda work: changing.created(work, self._query, values))

    def bulk_create(self, rows: Iterable[Mapping[str, Any]]) -> list[M]:
        """All of them or none, 500 checked at a time. Faults name the place in the list: /3/name."""
        listed = list(rows)
        return self._change(lambda work: changing.all_created(work, self._query, listed))

    def upsert(self, *, on: Sequence[str], **values: Any) -> M:
        """Change the row that has the same values in the unique fields of `on`, or make one."""
        return self._change(lambda work: changing.merged(work, self._query, values, on))

    def update(self, **values: Any) -> int:
        """Of every row of the set. Answers how many there are."""
        return self._change(lambda work: changing.updated(work, self._query, values))

    def delete(self) -> int:
        """Every row of the set. Answers how many."""
        return self._change(lambda work: changing.deleted(work, self._query))

    def _change(self, job: Callable[[Scope], Result]) -> Result:
        self._forget()
        return self._scope.do(job)
