"""Accounts and every way to sign in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from types import MappingProxyType

from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from tilth.feature import Feature
from tilth.features.auth.checks import refusals
from tilth.features.auth.models.tables import AUTH
from tilth.features.auth.pages.outbox import outbox_routes
from tilth.features.auth.pages.routes import page_routes
from tilth.features.auth.routes.addresses import routes_of
from tilth.features.auth.routes.endpoints import NAME
from tilth.features.auth.service.accounts import Accounts, open_accounts
from tilth.features.auth.service.layers import Borderline, SessionData
from tilth.features.auth.service.readers import readers_of
from tilth.features.auth.service.upkeep import swept
from tilth.features.auth.settings import Auth

SCHEMES = MappingProxyType(
    {
        "session": {"type": "apiKey", "in": "cookie", "name": "__Host-tilth"},
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "basic": {"type": "http", "scheme": "basic"},
        "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }
)


def feature_of(options: Auth) -> Feature:
    """One application's: its state is made once, whoever asks for it first."""
    opened = cache(partial(open_accounts, options))
    left_out = {"basic"} if not options.basic else set()
    return Feature(
        NAME,
        routes=lambda backend: _routes(options, opened(backend)),
        readers=lambda backend: readers_of(opened(backend)),
        refusals=partial(refusals, options),
        metadata=AUTH,
        schemes={name: scheme for name, scheme in SCHEMES.items() if name not in left_out},
        layers=lambda backend: [
            Middleware(Borderline, accounts=opened(backend)),
            Middleware(SessionData, accounts=opened(backend)),
        ],
        life=lambda backend: _life(opened(backend)),
        state=opened,
    )


def _routes(options: Auth, accounts: Accounts) -> Sequence[BaseRoute]:
    pages = page_routes(accounts) if options.pages else ()
    return [*routes_of(options), *pages, *outbox_routes(accounts)]


@asynccontextmanager
async def _life(accounts: Accounts) -> AsyncIterator[None]:
    """What is waiting to be sent is sent before the end."""
    async with swept(accounts):
        try:
            yield
        finally:
            await accounts.postman.close()
            accounts.hashing.close()
