"""A query set for code with await: the same as QuerySet, but for the awaits."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import TYPE_CHECKING, Any, TypeVar, overload

from sqlalchemy import ColumnElement

from tilth.errors import QueryError
from tilth.kernel.store.objects import changing, reading
from tilth.kernel.store.objects.frames import frame_from
from tilth.kernel.store.objects.lazy import Lazy
from tilth.kernel.store.objects.query import Query, filtered, reversed_order, sliced
from tilth.kernel.store.scope import Scope

if TYPE_CHECKING:
    from pandas import DataFrame

    from tilth.kernel.store.objects.scopes import AsyncScope

M = TypeVar("M")
Result = TypeVar("Result")


class AsyncQuerySet(Lazy[M]):
    """Rows of one model that the actor may see. Nothing is read until they are awaited.

    `await rows` and `async for` fill one cache; afterwards the set can also be looped over without
    await. See QuerySet for the rest, which is the same.
    """

    def __init__(self, scope: AsyncScope, query: Query[M]) -> None:
        super().__init__(query)
        self._scope = scope

    def _with(self, query: Query[M]) -> AsyncQuerySet[M]:
        return AsyncQuerySet(self._scope, query)

    async def _rows(self) -> list[M]:
        async with self._scope.turn:
            # Whoever waited for the turn may find that another has read them.
            kept = self._kept(self._scope.generation())
            if kept is None:
                read = await self._scope.do_in_turn(
                    lambda work: reading.rows_of(work.session, self._query, self._scope.fetch)
                )
                kept = self._keep(read, self._scope.generation())
            return kept

    def __await__(self) -> Generator[Any, None, list[M]]:
        return self._rows().__await__()

    async def __aiter__(self) -> AsyncIterator[M]:
        for each in await self._rows():
            yield each

    def _read(self) -> list[M]:
        kept = self._kept(self._scope.generation())
        if kept is None:
            name = self._query.model.__name__
            raise QueryError(
                f"These {name} objects are not read yet: await the query set, or loop with async for."
            )
        return kept

    def __iter__(self) -> Iterator[M]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __bool__(self) -> bool:
        return bool(self._read())

    def __contains__(self, row: object) -> bool:
        return row in self._read()

    def __repr__(self) -> str:
        if self._scope.is_over:
            return self._named(", whose scope is closed")
        kept = self._kept(self._scope.generation())
        return self._named(", not read yet") if kept is None else self._shown(kept)

    def __reduce__(self) -> tuple[type[list[M]], tuple[list[M]]]:
        """Pickled as a list of what was read."""
        return list, (self._read(),)

    @overload
    def __getitem__(self, place: int) -> M: ...
    @overload
    def __getitem__(self, place: slice) -> AsyncQuerySet[M]: ...
    def __getitem__(self, place: int | slice) -> M | AsyncQuerySet[M]:
        """A slice is another set; one row only of a set that was read."""
        if isinstance(place, slice):
            return self._cut(place, self._scope.generation())
        return self._read()[place]

    async def count(self) -> int:
        kept = self._kept(self._scope.generation())
        if kept is not None:
            return len(kept)
        return await self._scope.do(lambda work: reading.number_of_rows(work.session, self._query))

    async def exists(self) -> bool:
        kept = self._kept(self._scope.generation())
        if kept is not None:
            return bool(kept)
        return await self._scope.do(lambda work: reading.any_row(work.session, self._query))

    async def first(self) -> M | None:
        kept = self._kept(self._scope.generation())
        rows = await self[:1] if kept is None else kept
        return next(iter(rows), None)

    async def last(self) -> M | None:
        kept = self._kept(self._scope.generation())
        if kept is not None:
            return kept[-1] if kept else None
        query = sliced(reversed_order(self._query), slice(0, 1))
        return next(iter(await self._with(query)), None)

    async def get(self, *expressions: ColumnElement[Any], **lookups: Any) -> M:
        query = filtered(self._query, expressions, lookups)
        return await self._scope.do(
            lambda work: reading.only_row(work.session, query, self._scope.fetch)
        )

    async def values(self, *names: str) -> list[dict[str, Any]]:
        return await self._scope.do(
            lambda work: reading.field_values(work.session, self._query, names)
        )

    async def aggregate(self, **expressions: ColumnElement[Any]) -> dict[str, Any]:
        return await self._scope.do(
            lambda work: reading.aggregate(work.session, self._query, expressions)
        )

    async def iterator(self, chunk: int = 1000) -> AsyncIterator[M]:
        """Every row once, chunk at a time in memory, past the cache."""
        fetch = self._scope.fetch
        parts = await self._scope.do(
            lambda work: reading.rows_in_chunks(work.session, self._query, fetch, chunk)
        )
        while part := await self._scope.do(lambda _: next(parts, ())):
            for each in part:
                yield each

    async def explain(self, *, analyze: bool = False) -> str:
        return await self._scope.do(
            lambda work: reading.explained(work.session, self._query, analyze=analyze)
        )

    async def to_dataframe(self, *names: str) -> DataFrame:
        chosen = names or tuple(self._query.access.fields)
        return frame_from(await self.values(*chosen), chosen)

    async def create(self, **values: Any) -> M:
        return await self._change(lambda work: changing.created(work, self._query, values))

    async def bulk_create(self, rows: Iterable[Mapping[str, Any]]) -> list[M]:
        listed = list(rows)
        return await self._change(lambda work: changing.all_created(work, self._query, listed))

    async def upsert(self, *, on: Sequence[str], **values: Any) -> M:
        return await self._change(lambda work: changing.merged(work, self._query, values, on))

    async def update(self, **values: Any) -> int:
        return await self._change(lambda work: changing.updated(work, self._query, values))

    async def delete(self) -> int:
        return await self._change(lambda work: changing.deleted(work, self._query))

    async def _change(self, job: Callable[[Scope], Result]) -> Result:
        try:
            return await self._scope.do(job)
        finally:
            # Only now: another task may have read the rows while this one waited for its turn.
            self._forget()
