"""Tilth's FastAPI: collect what is exposed → resolve → check → freeze → serve."""

from __future__ import annotations

import secrets
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from os import environ
from threading import Lock
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy import MetaData
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from tilth.declared import Declared, caller, policy_findings_of, too_late
from tilth.errors import Finding, SetupError
from tilth.feature import Backend, Battery, Feature, Living
from tilth.kernel.events.catalog import catalog_from
from tilth.kernel.plan.before import Before
from tilth.kernel.plan.cursor import Signer
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rulebook import Chapter, Rulebook, chapter_from
from tilth.kernel.schema.borrow import lend_tables
from tilth.kernel.schema.exposure import NO_UPKEEP, Exposure, Upkeep
from tilth.kernel.schema.mapper import resolve
from tilth.kernel.schema.resource import Schema
from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.engine import open_database
from tilth.kernel.store.outbox import OWN, Outbox
from tilth.kernel.store.record import Records
from tilth.kernel.store.run import Store
from tilth.kernel.store.sessions.loads import Fetch
from tilth.kernel.store.sessions.sessions import Sessions
from tilth.kernel.store.sessions.watch import CURRENT
from tilth.kernel.store.unit import Units
from tilth.kernel.store.writing import open_sessions, open_units
from tilth.kit.clock import now
from tilth.kit.heap import nothing_collected
from tilth.runtime.relay.relay import Relay
from tilth.runtime.relay.subscribers import React, Subscription, subscribers_from
from tilth.runtime.web.actor import CredentialReader, actor_of
from tilth.runtime.web.health import health_routes
from tilth.runtime.web.middleware import web_stack, wrapped
from tilth.runtime.web.middleware.limits import RateLimiter
from tilth.runtime.web.middleware.shortcut import DirectRoute, Shortcut
from tilth.runtime.web.observed import Observed
from tilth.runtime.web.problem import exception_handlers
from tilth.scopes import APPLICATION, Opening, scope_findings
from tilth.settings import Settings, cors_findings, load_settings

DEFAULT_DATABASE = "sqlite:///tilth.db"
NO_SCHEMES: Mapping[str, Mapping[str, object]] = MappingProxyType({})


class Application(FastAPI):
    """A FastAPI application that serves the models it is given.

    database: SQLAlchemy URL; TILTH_DATABASE wins over it. settings: read from the environment
    when not given. readers: who may ask, tried in order before those of the features.
    schemes: what OpenAPI says of the readers. auth: accounts and how people sign in; there are none
    without it. limiter: asked before anything is done. read_only: the database is another program's.
    Every other parameter is FastAPI's own.

    Until it is frozen (by the first request, or `freeze`), models can be exposed and routes added.
    """

    features: ClassVar[tuple[Feature, ...]] = ()

    def __init__(
        self,
        database: str | None = None,
        *,
        settings: Settings | None = None,
        readers: Sequence[CredentialReader] = (),
        schemes: Mapping[str, Mapping[str, object]] = NO_SCHEMES,
        auth: Battery | None = None,
        limiter: RateLimiter | None = None,
        read_only: bool = False,
        **fastapi: Any,
    ) -> None:
        handlers = exception_handlers((RequestValidationError,))
        own_pages = {"docs_url": None, "redoc_url": None, "openapi_url": None}
        fastapi["exception_handlers"] = {**handlers, **fastapi.get("exception_handlers", {})}
        super().__init__(**{"title": "Tilth", **fastapi, **own_pages})
        self.settings = settings or load_settings(environ)
        self.database_url = self.settings.store.database or database or DEFAULT_DATABASE
        self.notes: tuple[str, ...] = ()
        self._readers = tuple(readers)
        self._batteries = (*self.features, *([auth.feature()] if auth else ()))
        of_batteries = {name: s for each in self._batteries for name, s in each.schemes.items()}
        self._schemes = {**of_batteries, **schemes}
        self._limiter = limiter
        self._read_only = read_only
        self._declared: list[Declared] = []
        self._roles: dict[str, frozenset[str]] = {}
        self._subscriptions: list[Subscription] = []
        self._relay: Relay | None = None
        self._sessions: Sessions | None = None
        self._is_served = False
        # The first endpoints may ask for them at once, each in its thread.
        self._opening = Lock()
        self._backend: Backend | None = None
        self._observed = Observed(self)
        self.router.lifespan_context = self._alive(self.router.lifespan_context)

    def expose(
        self,
        model: type,
        policy: Policy | None = None,
        *,
        name: str | None = None,
        search: Sequence[str] = (),
        cache: str | None = None,
        require_if_match: bool = False,
        upkeep: Upkeep = NO_UPKEEP,
        before: Sequence[Before] = (),
    ) -> None:
        """Make a model a resource. Mistakes are collected and told together when frozen.

        policy: without one the application refuses to start. name: in URLs, plural and hyphenated;
        derived from the class otherwise. search: text fields that `q=` looks into.
        cache: Cache-Control of its answers, "private, no-cache" unless given.
        require_if_match: PUT, PATCH and DELETE without If-Match are refused (428).
        upkeep: columns the server keeps: timestamps, a version, soft deletion.
        before: pure functions that every change of a row goes through before it is made.
        """
        exposure = Exposure(
            model,
            name,
            tuple(search),
            caller(),
            upkeep=upkeep,
            linked=frozenset(policy.link if policy else ()),
        )
        self.declare(Declared(exposure, policy, cache, require_if_match, tuple(before)))

    def declare(self, declared: Declared) -> None:
        """What expose does, for exposures made by a program."""
        if self._backend is not None:
            exposure = declared.exposure
            raise SetupError(too_late(exposure.model.__name__, "is exposed", exposure.where))
        self._declared.append(declared)

    def on(self, *events: str, name: str | None = None) -> Callable[[Reaction], Reaction]:
        """Decorates a function that is told of events after they are committed, at least once.

        events: "hero.created", or "hero.*" for all of one model. The function takes the Event; a
        plain one is called in a thread. name: what its deliveries are kept under, that of the
        function unless given. Mistakes are told when frozen.
        """
        where = caller()

        def subscribe(react: Reaction) -> Reaction:
            called = name or str(getattr(react, "__name__", type(react).__name__))
            if self._backend is not None:
                raise SetupError(too_late(called, "subscribes", where))
            self._subscriptions.append(Subscription(called, react, events, where))
            return react

        return subscribe

    def role(self, name: str, *permissions: str) -> None:
        """Make a role that accounts can be given, with what it permits. Repeated, it adds to it."""
        if self._backend is not None:
            raise SetupError(too_late(name, "is declared a role", caller()))
        self._roles[name] = self._roles.get(name, frozenset()) | frozenset(permissions)

    def scope(self, actor: Actor, *, writes: bool = True, fetch: Fetch | None = None) -> Opening:
        """A scope outside of a request: `async with app.scope(actor) as scope`, or plain `with`.

        Everything in it is one unit of work, committed when it ends without an error.
        writes: False for a transaction that cannot. fetch: what becomes of a relation that is
        touched and was not asked for: "peers" loads it for every object of the same query, "one" for
        this object, "raise" is an error and all there is with await.
        """
        return Opening(self.freeze(), actor, writes=writes, fetch=fetch)

    async def actor(self, connection: HTTPConnection) -> Actor:
        """Who asks: of a request, or of a WebSocket before each scope that is opened for it.

        Raises Unauthenticated for a bad credential.
        """
        return await actor_of(connection, self.freeze().readers)

    def add_reader(self, reader: CredentialReader) -> None:
        """Another way to tell who asks, tried after those already there."""
        self._readers = (*self._readers, reader)

    def check(self) -> list[Finding]:
        """Every mistake and warning in what is exposed, without touching the database."""
        return self._resolved()[3]

    def doctor(self) -> list[Finding]:
        """What check tells, and everything that would keep the application from serving in production."""
        production = replace(self.settings, environment="production")
        return list(dict.fromkeys([*self.check(), *self.refusals(production)]))

    def refusals(self, settings: Settings) -> list[Finding]:
        """Why the batteries would not be served with other settings."""
        return [finding for each in self._batteries for finding in each.refusals(settings)]

    def servable(self) -> Backend:
        """freeze, for who is about to serve. Raises SetupError for settings that are not safe, too."""
        backend = self.freeze()
        mistakes = [each for each in self.refusals(self.settings) if each.level == "error"]
        if mistakes:
            raise SetupError(*mistakes)
        return backend

    def freeze(self) -> Backend:
        """Check everything, once. Raises SetupError with every finding."""
        if self._backend is None:
            with nothing_collected():
                self._backend = self._frozen()
        return self._backend

    def build_middleware_stack(self) -> ASGIApp:
        backend = self.servable()
        if self.settings.environment == "development":
            backend.store.watching = CURRENT.get
        app = super().build_middleware_stack()
        for feature in self._batteries:
            for route in feature.routes(backend):
                if isinstance(route, DirectRoute) and not self.user_middleware:
                    app = Shortcut(app, route, tuple(self.router.routes))
                self.router.routes.append(route)
        self.router.routes.extend(health_routes({"database": backend.store.database.ping}))
        layers = [layer for each in self._batteries for layer in each.layers(backend)]
        return wrapped(app, web_stack(self.settings, limiter=self._limiter, layers=layers))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            try:
                self.servable()
            except SetupError as error:
                await receive()
                await send({"type": "lifespan.startup.failed", "message": f"\n{error}"})
                return
        scope = {**scope, APPLICATION: self}
        if scope["type"] == "http" and not self.root_path and not self._observed:
            await Starlette.__call__(self, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def _resolved(self) -> tuple[Schema, dict[str, Declared], Database, list[Finding]]:
        database = open_database(self.database_url, self.settings.store, read_only=self._read_only)
        lend_tables({each.exposure.model for each in self._declared}, self._own())
        resolved = resolve([each.exposure for each in self._declared], database.dialect.name)
        findings = [*resolved.findings, *cors_findings(self.settings.web)]
        findings.extend(policy_findings_of(self._declared, resolved, self._own()))
        for feature in self._batteries:
            findings.extend(feature.checks(resolved.schema, self.router.routes))
        of_model = {declared.exposure.model: declared for declared in self._declared}
        by_name = {name: of_model[resource.model] for name, resource in resolved.schema.items()}
        findings.extend(scope_findings(self.router.routes))
        findings.extend(subscribers_from(self._subscriptions, catalog_from(resolved.schema))[1])
        return resolved.schema, by_name, database, findings

    def _frozen(self) -> Backend:
        schema, declared, database, findings = self._resolved()
        mistakes = [finding for finding in findings if finding.level == "error"]
        if mistakes:
            raise SetupError(*mistakes)
        chapters = {
            name: chapter_from(schema[name], given.policy or Policy())
            for name, given in declared.items()
        }
        units = self._units(database, chapters.values())
        self._relay = self._relay_from(schema, units)
        secret = self.settings.secret_key or secrets.token_hex(32)
        # What the batteries add needs the backend that it becomes part of.
        readers, states = list(self._readers), dict[str, object]()
        backend = Backend(
            title=self.title,
            version=self.version,
            schema=schema,
            rulebook=Rulebook(chapters),
            store=Store(database),
            signer=Signer(secret.encode()),
            settings=self.settings,
            readers=readers,
            caching={name: given.cache for name, given in declared.items() if given.cache},
            conditional=frozenset(n for n, given in declared.items() if given.require_if_match),
            units=units,
            records=Records(database.dialect),
            hooks={name: given.before for name, given in declared.items() if given.before},
            outbox=self._relay.outbox if self._relay else Outbox(is_kept=units is not None),
            sessions=partial(self._open_sessions, database, units),
            schemes=self._schemes,
            user_document=self._document,
            notes=self.notes,
            own=(*((OWN,) if units is not None else ()), *self._own()),
            roles=MappingProxyType(dict(self._roles)),
            states=states,
        )
        states |= {each.name: each.state(backend) for each in self._batteries}
        readers.extend(reader for each in self._batteries for reader in each.readers(backend))
        return backend

    def _document(self) -> dict[str, Any]:
        """FastAPI's, with the routes of the batteries."""
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        return self.openapi()

    def _own(self) -> list[MetaData]:
        """Tables of the batteries."""
        return [each.metadata for each in self._batteries if each.metadata is not None]

    def _units(self, database: Database, chapters: Iterable[Chapter]) -> Units | None:
        """None when nobody may write, so that an application that reads needs no driver for it."""
        writes = any(chapter.writing for chapter in chapters)
        may_write = writes or self._subscriptions or self._own()
        if self._read_only or not may_write:
            return None
        return open_units(database.url, database.label, self.settings.store)

    def _open_sessions(self, database: Database, units: Units | None) -> Sessions:
        """For the developer's own code; not made for an application that has none."""
        with self._opening:
            if self._sessions is None:
                self._sessions = open_sessions(
                    database.url,
                    database.label,
                    self.settings.store,
                    units,
                    read_only=self._read_only,
                )
                self._sessions.is_kept = self._is_served
            return self._sessions

    def _keep_sessions(self, is_served: bool) -> None:
        with self._opening:
            self._is_served = is_served
            if self._sessions is not None:
                self._sessions.is_kept = is_served

    def _relay_from(self, schema: Schema, units: Units | None) -> Relay | None:
        subscribers, _ = subscribers_from(self._subscriptions, catalog_from(schema))
        if units is None or not subscribers:
            return None
        return Relay(subscribers, units, now, self.settings.relay)

    def _alive(self, inner: Lifespan) -> Lifespan:
        """The developer's lifespan, in it the relay, and after it the end of the connections."""

        @asynccontextmanager
        async def lifespan(app: Any) -> AsyncIterator[Any]:
            try:
                async with inner(app) as state, AsyncExitStack() as living:
                    backend = self.freeze()
                    self._keep_sessions(True)
                    if self.middleware_stack is None:
                        self.middleware_stack = self.build_middleware_stack()
                    if self._relay is not None:
                        self._relay.start()
                        living.push_async_callback(self._relay.stop)
                    for each in self._batteries:
                        await living.enter_async_context(each.life(backend))
                    for route in self.router.routes:
                        if isinstance(route, Living):
                            await living.enter_async_context(route.alive())
                    yield state
            finally:
                await self._let_go()

        return lifespan

    async def _let_go(self) -> None:
        self._keep_sessions(False)
        if self._sessions is not None:
            await self._sessions.close()
        if self._backend is not None:
            if self._backend.units is not None:
                await self._backend.units.close()
            await self._backend.store.database.close()


Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


Reaction = TypeVar("Reaction", bound=React)
