"""/auth/token: for programs, which keep an access token and a token to refresh it with."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from tilth.features.auth.routes.answering import answer, into_tokens, token_answer, waiting
from tilth.features.auth.routes.bodies import (
    Refresh,
    TokenAnswer,
    TokenCode,
    TokenRequest,
    Waits,
)
from tilth.features.auth.routes.endpoints import SECOND_FACTOR, Endpoint, Here
from tilth.features.auth.routes.signing import tell_of_recovery
from tilth.features.auth.service import grants
from tilth.features.auth.service.origins import origin_of
from tilth.features.auth.service.passwords_asked import asked_from, prove_password
from tilth.features.auth.service.sign_in import Pending, complete, sign_in


async def token(accounts: Here, request: Request, body: TokenRequest) -> Response:
    """Sign in: an access token for the Authorization header, and one to refresh it with."""
    origin = origin_of(request)
    proved = await prove_password(accounts, asked_from(body.name, body.password, origin))
    establish = into_tokens(accounts, origin, body.scopes)
    found = await sign_in(accounts, proved, origin, establish)
    if isinstance(found, Pending):
        return waiting(found, proved.admission.headers)
    return token_answer(found.result, proved.admission.headers)


async def token_by_factor(accounts: Here, request: Request, body: TokenCode) -> Response:
    """The second step: a code of the authenticator app, or a recovery code."""
    origin = origin_of(request)
    establish = into_tokens(accounts, origin, body.scopes)
    found = await complete(accounts, body.flow, body.code, origin, establish)
    tell_of_recovery(accounts, found, origin.address)
    return token_answer(found.result, found.admission.headers)


async def refresh(accounts: Here, request: Request, body: Refresh) -> Response:
    """New tokens for a refresh token, which is good once. If it comes back, all of them end."""
    origin = origin_of(request)
    return token_answer(await grants.renew(accounts, body.refresh_token, origin, body.scopes))


async def revoke(accounts: Here, request: Request, body: Refresh) -> Response:
    """End what came from one sign-in. Answered alike for a token that is unknown."""
    await grants.revoke_tokens(accounts, body.refresh_token, origin_of(request))
    return answer(None)


TOKENS = (
    Endpoint(
        "POST",
        "/token",
        token,
        answers=TokenAnswer,
        others={202: {"model": Waits, "description": SECOND_FACTOR}},
    ),
    Endpoint("POST", "/token/second-factor", token_by_factor, answers=TokenAnswer),
    Endpoint("POST", "/token/refresh", refresh, answers=TokenAnswer),
    Endpoint("POST", "/token/revoke", revoke, status=204),
)
