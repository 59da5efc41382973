"""Applications with rows, the scopes of which are opened by the tests, and statements counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager

import httpx
import pytest
from sqlalchemy import Engine, event
from starlette.applications import Starlette
from tests.scopes.league import fill, open_league, rows, secretive_league

from tilth import Tilth

FRAME = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")

Counted = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The event loop that serves in production."""
    return "asyncio", {"use_uvloop": True}


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    """Started and stopped like an application that serves, so that its connections are closed."""
    async with app.router.lifespan_context(app):
        yield


@asynccontextmanager
async def client_of(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with (
        running(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as client,
    ):
        yield client


@pytest.fixture
async def league(database_url: str) -> AsyncIterator[Tilth]:
    """Where anybody may do anything."""
    fill(database_url, rows())
    app = open_league(database_url)
    async with running(app):
        yield app


@pytest.fixture
async def secretive(database_url: str) -> AsyncIterator[Tilth]:
    """Where each sees their own."""
    fill(database_url, rows())
    app = secretive_league(database_url)
    async with running(app):
        yield app


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Every statement of every session, but for those that begin and end transactions.

    And those of the application itself, which looks for work that others have left.
    """
    found: list[str] = []

    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(FRAME) and "tilth_accepted" not in statement:
            found.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", count)


@pytest.fixture
def counted() -> Counted:
    """with counted() as statements: …"""
    return counted_statements
