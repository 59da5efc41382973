"""Applications over freshly filled databases, asked over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from conftest import DATABASES
from sqlalchemy import URL, MetaData, insert
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session
from starlette.applications import Starlette

from tilth import Actor, Tilth
from tilth.features.api.feature import feature
from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.run import Store
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.testing import acting

Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module", params=DATABASES)
def module_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """One database for all tests of a module, which only read it; once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('stories') / 'module.db'}"
        return
    server = {"postgresql": "postgres_server", "mariadb": "mariadb_server"}[request.param]
    with request.getfixturevalue(server).new_database() as url:
        yield url


@pytest.fixture(scope="session")
def fill() -> Callable[..., None]:
    """fill(url, metadata, objects, rows={model: dictionaries}): makes the tables that are missing
    and adds to them, objects one by one, rows all at once.
    """

    def fill(
        url: str,
        metadata: MetaData,
        objects: Iterable[object] = (),
        *,
        rows: Mapping[type, Sequence[Mapping[str, object]]] = MappingProxyType({}),
    ) -> None:
        engine = sync_engine(url)
        create_missing_tables(engine, [metadata, OWN])
        with Session(engine) as session:
            session.add_all(objects)
            session.flush()
            for model, values in rows.items():
                session.execute(insert(model), values)
            session.commit()
        engine.dispose()

    return fill


@pytest.fixture(scope="module")
def serve_for_module() -> Iterator[Callable[[Starlette], Ask]]:
    """Like serve, for an application that serves a whole module."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_served(app))


@pytest.fixture
def serve() -> Iterator[Callable[[Starlette], Ask]]:
    """serve(app) starts it and answers ask(path, by=actor, method=…, headers=…, **httpx)."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(_served(app))


@asynccontextmanager
async def served_together(apps: Sequence[Starlette]) -> AsyncIterator[list[httpx.AsyncClient]]:
    """A client for each of several applications, which may be asked at the same time."""
    async with AsyncExitStack() as stack:
        clients = []
        for app in apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=app), base_url="http://test"
            )
            clients.append(await stack.enter_async_context(client))
        yield clients


@pytest.fixture
def serve_together() -> Callable[..., AbstractAsyncContextManager[list[httpx.AsyncClient]]]:
    """async with serve_together([app, other]) as [client, client_of_other]: …"""
    return served_together


@pytest.fixture
def serve_recorded(serve: Callable[[Starlette], Ask]) -> Callable[[Tilth], tuple[Ask, list[str]]]:
    """serve_recorded(app) → ask, and the statements that reading has run so far."""

    def serve_recorded(app: Tilth) -> tuple[Ask, list[str]]:
        backend = app.freeze()
        database = Recording(backend.store.database)
        routes = feature.routes(replace(backend, store=Store(database)))
        served = Starlette(routes=routes, lifespan=app.router.lifespan_context)
        return serve(served), database.statements

    return serve_recorded


class Recording:
    """A database that keeps the statements it is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.statements: list[str] = []

    @property
    def dialect(self) -> Dialect:
        return self._database.dialect

    @property
    def url(self) -> URL:
        return self._database.url

    @property
    def label(self) -> str:
        return self._database.label

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        self.statements.append(sql)
        return await self._database.fetch(sql, arguments)

    async def ping(self) -> None:
        await self._database.ping()

    async def close(self) -> None:
        await self._database.close()


@contextmanager
def _served(app: Starlette) -> Iterator[Ask]:
    """Without a socket; an exception that the application does not answer is raised here."""
    transport = httpx.ASGITransport(app=app)
    lifespan = app.router.lifespan_context(app)
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(transport=transport, base_url="http://test")
        runner.run(lifespan.__aenter__())

        def ask(
            path: str,
            *,
            by: Actor | None = None,
            method: str = "GET",
            headers: Mapping[str, str] | None = None,
            **options: object,
        ) -> httpx.Response:
            sent = {**(acting(by) if by else {}), **(headers or {})}
            return runner.run(client.request(method, path, headers=sent, **options))  # type: ignore[arg-type]

        yield ask
        runner.run(lifespan.__aexit__(None, None, None))
        runner.run(client.aclose())
