"""Who asks, and the open unit of work: what the developer's own code is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from tilth.errors import QueryError
from tilth.kernel.plan.given import resource_of
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.objects.async_query_set import AsyncQuerySet
from tilth.kernel.store.objects.query import Query
from tilth.kernel.store.objects.query_set import QuerySet
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.sessions.loads import Fetch
from tilth.kernel.store.sessions.sessions import UnitSession

M = TypeVar("M")
Result = TypeVar("Result")


class Life:
    """Of one unit of work: whether it is still open, and whether what was read in it still holds."""

    def __init__(self, session: UnitSession) -> None:
        self.is_over, self._session = False, session

    def check(self) -> None:
        if self.is_over:
            raise QueryError(
                "The scope of this query set is closed. Read the rows while it is open, with list() "
                "or await; what runs after the answer (a background task, a streamed body) opens a "
                "scope of its own: app.scope(scope.actor)."
            )

    def generation(self) -> int:
        """Another number after each rollback, expire and close. Raises QueryError when it is over."""
        self.check()
        return self._session.generation


class PlainScope:
    """Who asks, and the open unit of work, for code without await.

    Everything done in it is committed together when it ends without an error.
    """

    def __init__(self, work: Scope, life: Life, fetch: Fetch) -> None:
        self._work, self._life, self.fetch = work, life, fetch

    @property
    def actor(self) -> Actor:
        return self._work.sight.actor

    @property
    def session(self) -> Session:
        """An ordinary session, which asks no policy; what it flushes is told by events."""
        return self._work.session

    def objects(self, model: type[M]) -> QuerySet[M]:
        """The rows of a model that the actor may see. Raises QueryError when it is not exposed."""
        return QuerySet(self, query_for(self._work, model))

    def unrestricted(self, reason: str) -> AbstractContextManager[None]:
        """Query sets made inside ask no policy; every event of theirs carries the reason."""
        return self._work.unrestricted(reason)

    def do(self, job: Callable[[Scope], Result]) -> Result:
        self._life.check()
        return job(self._work)

    @property
    def is_over(self) -> bool:
        return self._life.is_over

    def generation(self) -> int:
        return self._life.generation()


class AsyncScope:
    """Who asks, and the open unit of work, for code with await.

    Everything done in it is committed together when it ends without an error. turn: held by the task
    whose query runs, since one transaction does one thing at a time.
    """

    def __init__(self, work: Scope, session: AsyncSession, life: Life, fetch: Fetch) -> None:
        self._work, self._session, self._life, self.fetch = work, session, life, fetch
        self.turn = asyncio.Lock()

    @property
    def actor(self) -> Actor:
        return self._work.sight.actor

    @property
    def session(self) -> AsyncSession:
        """An ordinary session, which asks no policy; what it flushes is told by events."""
        return self._session

    def objects(self, model: type[M]) -> AsyncQuerySet[M]:
        """The rows of a model that the actor may see. Raises QueryError when it is not exposed."""
        return AsyncQuerySet(self, query_for(self._work, model))

    def unrestricted(self, reason: str) -> AbstractContextManager[None]:
        """Query sets made inside ask no policy; every event of theirs carries the reason."""
        return self._work.unrestricted(reason)

    async def do(self, job: Callable[[Scope], Result]) -> Result:
        async with self.turn:
            return await self.do_in_turn(job)

    async def do_in_turn(self, job: Callable[[Scope], Result]) -> Result:
        self._life.check()
        return await self._session.run_sync(lambda _: job(self._work))

    @property
    def is_over(self) -> bool:
        return self._life.is_over

    def generation(self) -> int:
        return self._life.generation()


def query_for(work: Scope, model: type[M]) -> Query[M]:
    resource = resource_of(work.sight.schema, model)
    if resource.model is not model:
        raise QueryError(
            f"{model.__name__} itself is not exposed, {resource.title} is: "
            f"ask for scope.objects({resource.title})."
        )
    return Query(model, work.sight.access(resource.name), work.sight, work.reason)
