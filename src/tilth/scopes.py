"""A scope for the developer's own code: in routes by its annotation, elsewhere by `with`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Annotated

from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from tilth.errors import Finding
from tilth.feature import Backend
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.objects.scopes import AsyncScope, Life, PlainScope
from tilth.kernel.store.scope import Scope as Work
from tilth.kernel.store.sessions.loads import Fetch
from tilth.kit.clock import now
from tilth.kit.ids import uuid7
from tilth.runtime.web.actor import actor_of
from tilth.runtime.web.problem import request_id_of

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


class Opening:
    """A scope that is about to be opened, once: `async with`, or `with` where nothing is awaited."""

    def __init__(
        self,
        backend: Backend,
        actor: Actor,
        *,
        writes: bool = True,
        fetch: Fetch | None = None,
        request_id: str | None = None,
    ) -> None:
        """fetch: of relations that were not asked for; "peers" without await and "raise" with it."""
        self._backend, self._actor, self._writes = backend, actor, writes
        self._fetch, self._request_id = fetch, request_id
        self._stack, self._async_stack = ExitStack(), AsyncExitStack()

    def __enter__(self) -> PlainScope:
        return self._stack.enter_context(self._plain())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    async def __aenter__(self) -> AsyncScope:
        return await self._async_stack.enter_async_context(self._in_loop())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._async_stack.__aexit__(kind, error, traceback)

    @contextmanager
    def _plain(self) -> Iterator[PlainScope]:
        with self._backend.sessions().plain(self._begin, writes=self._writes) as work:
            life = Life(work.session)
            try:
                yield PlainScope(work, life, self._fetch or "peers")
            finally:
                life.is_over = True

    @asynccontextmanager
    async def _in_loop(self) -> AsyncIterator[AsyncScope]:
        opened = self._backend.sessions().in_loop(self._begin, writes=self._writes)
        async with opened as (work, session):
            life = Life(work.session)
            try:
                yield AsyncScope(work, session, life, self._fetch or "raise")
            finally:
                life.is_over = True

    def _begin(self, session: Session) -> Work:
        backend = self._backend
        sight = Sight(backend.schema, backend.rulebook, self._actor, backend.hooks)
        return Work(session, sight, backend.records, backend.outbox, now, uuid7, self._request_id)


async def open_scope(connection: HTTPConnection) -> AsyncIterator[AsyncScope]:
    async with await _opening(connection) as scope:
        yield scope


async def open_plain_scope(connection: HTTPConnection) -> AsyncIterator[PlainScope]:
    """Opened and closed in threads, as the endpoint runs in one."""
    opening = await _opening(connection)
    scope = await run_in_threadpool(opening.__enter__)
    try:
        yield scope
    except BaseException as exc:
        await run_in_threadpool(opening.__exit__, type(exc), exc, exc.__traceback__)
        raise
    await run_in_threadpool(opening.__exit__, None, None, None)


async def _opening(connection: HTTPConnection) -> Opening:
    """Of a request that only asks, a scope that only reads."""
    backend: Backend = connection.app.freeze()
    actor = await actor_of(connection, backend.readers)
    writes = connection.scope.get("method") not in SAFE
    request_id = request_id_of(connection.scope)
    return Opening(backend, actor, writes=writes, request_id=request_id)


# The scope ends before the answer is sent: a commit that fails is an error the client sees.
Scope = Annotated[AsyncScope, Depends(open_scope, scope="function")]
SyncScope = Annotated[PlainScope, Depends(open_plain_scope, scope="function")]


def scope_findings(routes: Sequence[BaseRoute]) -> Iterator[Finding]:
    """Endpoints that were given the other kind of scope."""
    for route in routes:
        if isinstance(route, APIRoute | APIWebSocketRoute):
            yield from _mixed_up(route.dependant, inspect.unwrap(route.endpoint))


def _mixed_up(dependant: Dependant, endpoint: object) -> Iterator[Finding]:
    is_async = inspect.iscoroutinefunction(endpoint)
    wrong, right = ("SyncScope", "Scope") if is_async else ("Scope", "SyncScope")
    other = open_plain_scope if is_async else open_scope
    if any(each.call is other for each in dependant.dependencies):
        code = endpoint.__code__ if inspect.isfunction(endpoint) else None
        kind = "async def" if is_async else "def"
        yield Finding(
            "scope.kind",
            getattr(endpoint, "__qualname__", repr(endpoint)),
            f"A {kind} endpoint cannot use a {wrong}.",
            f"Annotate the parameter with tilth.{right}.",
            where=f"{code.co_filename}:{code.co_firstlineno}" if code else None,
        )
