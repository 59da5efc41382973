"""The addresses of accounts: JSON below /auth, as OpenAPI describes it."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from tilth.features.auth.routes.account import ACCOUNT, SESSIONS
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.routes.factors import FACTORS
from tilth.features.auth.routes.invited import INVITED
from tilth.features.auth.routes.keys import KEYS
from tilth.features.auth.routes.mail_codes import MAIL_CODES
from tilth.features.auth.routes.preferences import PREFERENCES
from tilth.features.auth.routes.signing import SIGNING
from tilth.features.auth.routes.tokens import TOKENS
from tilth.features.auth.routes.trusted import TRUSTED
from tilth.features.auth.settings import Auth

PREFIX = "/auth"
JWKS_PATH = "/.well-known/jwks.json"


def routes_of(options: Auth) -> Sequence[BaseRoute]:
    endpoints = [*SIGNING, *ACCOUNT, *SESSIONS, *KEYS, *FACTORS, *INVITED, *PREFERENCES]
    if options.mail_codes:
        endpoints += MAIL_CODES
    if options.trusted_devices is not None:
        endpoints += TRUSTED
    router = APIRouter(tags=["auth"])
    if options.passkeys:
        # Behind them is a library that is installed only where they are wanted.
        from tilth.features.auth.routes.passkeys import PASSKEYS, TOKENS_BY_PASSKEY

        endpoints += [*PASSKEYS, *(TOKENS_BY_PASSKEY if options.tokens else ())]
    if options.tokens:
        endpoints += TOKENS
        router.add_api_route(JWKS_PATH, jwks, methods=["GET"])
    for each in endpoints:
        _add(router, f"{PREFIX}{each.path}", each)
    for alias, address in options.aliases.items():
        for each in endpoints:
            if f"{PREFIX}{each.path}" == address:
                _add(router, alias, each)
    return list(router.routes)


def _add(router: APIRouter, path: str, endpoint: Endpoint) -> None:
    router.add_api_route(
        path,
        endpoint.call,
        methods=[endpoint.method],
        status_code=endpoint.status,
        response_model=endpoint.answers,
        responses={**endpoint.others},
    )


async def jwks(accounts: Here, request: Request) -> Response:
    """The public keys that access tokens are signed with (RFC 7517)."""
    headers = {"cache-control": "public, max-age=300"}
    return Response(accounts.tokens.jwks(), headers=headers, media_type="application/json")
