"""A scope for the developer's own code: in routes by its annotation, elsewhere by `with`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from functools import partial
from types import TracebackType
from typing import Annotated, Any, Protocol

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Depends
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount

from tilth.errors import Finding, QueryError
from tilth.feature import Backend
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.objects.scopes import AsyncScope, Life, PlainScope
from tilth.kernel.store.scope import Scope as Work
from tilth.kernel.store.sessions.loads import Fetch
from tilth.kernel.store.sessions.places import shown_path
from tilth.kit.clock import now
from tilth.kit.ids import uuid7
from tilth.runtime.web.actor import actor_of
from tilth.runtime.web.problem import request_id_of

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")

APPLICATION = "tilth"
"""In the ASGI scope: the Tilth application that the request has come to, also in mounted ones."""


class Application(Protocol):
    def freeze(self) -> Backend: ...


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
        endpoint: str | None = None,
    ) -> None:
        """fetch: of relations that were not asked for; "peers" without await and "raise" with it.

        endpoint: what it is opened for, as errors name it.
        """
        self._backend, self._actor, self._writes = backend, actor, writes
        self._fetch, self._request_id, self._endpoint = fetch, request_id, endpoint
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
        sessions = self._backend.sessions()
        opened = sessions.plain(self._begin, writes=self._writes, endpoint=self._endpoint)
        with opened as (work, session):
            life = Life(session)
            try:
                yield PlainScope(work, life, self._fetch or "peers")
            finally:
                life.is_over = True

    @asynccontextmanager
    async def _in_loop(self) -> AsyncIterator[AsyncScope]:
        sessions = self._backend.sessions()
        opened = sessions.in_loop(self._begin, writes=self._writes, endpoint=self._endpoint)
        async with opened as (work, session, inner):
            life = Life(inner)
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
    """Closed in a thread, as the endpoint runs in one. Opening connects to nothing yet."""
    opening = await _opening(connection)
    scope = opening.__enter__()
    try:
        yield scope
    except BaseException as exc:
        await _in_a_thread(partial(opening.__exit__, type(exc), exc, exc.__traceback__))
        raise
    await _in_a_thread(partial(opening.__exit__, None, None, None))


async def _in_a_thread(close: Callable[[], None]) -> None:
    """Of its own: the threads of endpoints may all be waiting for what this scope is to give back.

    Also when the request was cancelled, or it would never be given back.
    """
    with CancelScope(shield=True):
        await to_thread.run_sync(close, limiter=CapacityLimiter(1))


async def _opening(connection: HTTPConnection) -> Opening:
    """Of a request that only asks, a scope that only reads."""
    backend = application_of(connection).freeze()
    actor = await actor_of(connection, backend.readers)
    return Opening(
        backend,
        actor,
        writes=connection.scope.get("method") not in SAFE,
        request_id=request_id_of(connection.scope),
        endpoint=_endpoint_of(connection),
    )


def application_of(connection: HTTPConnection) -> Application:
    found: Application | None = connection.scope.get(APPLICATION)
    if found is None:
        raise QueryError(
            f"{connection.scope.get('path')} was not reached through a Tilth application, which a "
            f"Scope needs: mount this application on a Tilth, or add its router to one."
        )
    return found


def _endpoint_of(connection: HTTPConnection) -> str | None:
    """ "list_heroes (shop/routes.py:12)"."""
    endpoint: Any = connection.scope.get("endpoint")
    place = _place_of(endpoint)
    return f"{endpoint.__qualname__} ({place})" if place else None


def _place_of(function: object) -> str | None:
    inner = inspect.unwrap(function) if callable(function) else function
    if not inspect.isfunction(inner):
        return None
    return f"{shown_path(inner.__code__.co_filename)}:{inner.__code__.co_firstlineno}"


# The scope ends before the answer is sent: a commit that fails is an error the client sees.
Scope = Annotated[AsyncScope, Depends(open_scope, scope="function")]
SyncScope = Annotated[PlainScope, Depends(open_plain_scope, scope="function")]


def scope_findings(routes: Sequence[BaseRoute]) -> Iterator[Finding]:
    """Endpoints and dependencies that were given the other kind of scope, or one that never ends."""
    for route in routes:
        if isinstance(route, Mount):
            yield from scope_findings(route.routes)
        if isinstance(route, APIRoute | APIWebSocketRoute):
            yield from _mixed_up(route.dependant)
        if isinstance(route, APIWebSocketRoute) and _asks_for_scope(route.dependant):
            yield _never_ends(route.endpoint)


def _mixed_up(dependant: Dependant) -> Iterator[Finding]:
    function = inspect.unwrap(dependant.call) if dependant.call else None
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    wrong, right = ("SyncScope", "Scope") if is_async else ("Scope", "SyncScope")
    other = open_plain_scope if is_async else open_scope
    for each in dependant.dependencies:
        if each.call is other:
            kind = "async def" if is_async else "def"
            yield Finding(
                "scope.kind",
                getattr(function, "__qualname__", repr(function)),
                f"A {kind} function cannot use a {wrong}.",
                f"Annotate the parameter with tilth.{right}.",
                where=_place_of(function),
            )
        yield from _mixed_up(each)


def _asks_for_scope(dependant: Dependant) -> bool:
    if dependant.call in (open_scope, open_plain_scope):
        return True
    return any(map(_asks_for_scope, dependant.dependencies))


def _never_ends(endpoint: Callable[..., Any]) -> Finding:
    return Finding(
        "scope.websocket",
        getattr(endpoint, "__qualname__", repr(endpoint)),
        "A scope is one transaction, and here it would stay open as long as somebody is connected.",
        "Open one for each message: async with app.scope(await app.actor(websocket)) as scope.",
        where=_place_of(endpoint),
    )
