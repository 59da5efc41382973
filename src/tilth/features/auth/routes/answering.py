"""What the routes of accounts have in common: who asks, what is established, how it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from tilth.errors import BadCredential, Fault, Forbidden, Unauthenticated, invalid
from tilth.features.auth.models.audit import Origin
from tilth.features.auth.models.sessions import Proof, end_by_digest
from tilth.features.auth.models.users import Account
from tilth.features.auth.routes.bodies import AccountShown, TokenAnswer, Waits
from tilth.features.auth.routes.depends import require_assurance
from tilth.features.auth.service.account_kept import account_of
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.browser import (
    DEVICE_SUFFIX,
    cookie_of,
    set_cookie,
)
from tilth.features.auth.service.grants import Pair, grant
from tilth.features.auth.service.guard import Admission
from tilth.features.auth.service.origins import origin_of
from tilth.features.auth.service.passwords_asked import Proved, prove_again
from tilth.features.auth.service.session_credentials import Begun, new_session
from tilth.features.auth.service.sign_in import Establish, Pending
from tilth.kernel.policy.actor import Actor
from tilth.kit.secrets import token_digest
from tilth.runtime.web.actor import actor_of

DEVICE = "known device"
DEVICE_LIFE = timedelta(days=180)
FRESH_SECONDS = 15 * 60

Given = Begun | Pair | None


async def actor(accounts: Accounts, request: Request) -> Actor:
    return await actor_of(request, accounts.backend.readers)


async def own(
    accounts: Accounts, request: Request, *, fresh: bool = False
) -> tuple[Actor, Account, Origin]:
    """Who may manage their account: signed in themselves, with all that they may.

    fresh: they have proved who they are, by all they have, in the last quarter of an hour.
    Raises Unauthenticated and Forbidden.
    """
    asking = await actor(accounts, request)
    if not asking.is_signed_in:
        raise Unauthenticated("Sign in.")
    if asking.impersonator is not None:
        raise Forbidden("Not while acting as somebody else.", code="impersonating")
    if asking.method == "api_key" or asking.scopes is not None:
        raise Forbidden("An account is managed by its owner, who signs in.", code="limited")
    account = await account_of(accounts, asking.id)
    if fresh:
        _require_fresh(asking, account)
    return asking, account, origin_of(request, asking)


async def confirmed(
    accounts: Accounts, asking: Actor, account: Account, password: str | None, origin: Origin
) -> Proved:
    """What must not be done by who found a screen open: by the password; of an account that has none,
    by all it has, proved in the last quarter of an hour.

    Raises Invalid without a password where there is one, Unauthenticated and TooManyRequests.
    """
    if password is not None:
        return await prove_again(accounts, account, password, origin)
    if account.hash is not None:
        raise invalid([Fault("/current_password", "missing", "Give the present password.")])
    _require_fresh(asking, account)
    at = asking.authenticated_at
    assert at is not None
    return Proved(account, Admission(), at)


def _require_fresh(asking: Actor, account: Account) -> None:
    require_assurance(asking, 2 if account.factors else 1, FRESH_SECONDS)


def proof_from(asking: Actor) -> Proof:
    """What the credential rests on, in so far as it is known."""
    methods = ("pwd", "otp") if asking.assurance > 1 else ("pwd",)
    at = asking.authenticated_at
    assert asking.id is not None
    assert at is not None
    return Proof(UUID(asking.id), asking.assurance, methods, at)


def into_session(accounts: Accounts, request: Request, origin: Origin) -> Establish[Begun]:
    """The session that the browser had before, of whomever, ends."""
    old = cookie_of(accounts, request)

    def establish(session: Session, proof: Proof, account: Account, now: datetime) -> Begun:
        if old is not None:
            end_by_digest(session, token_digest(old))
        return new_session(accounts, session, proof, now, origin, epoch=account.epoch)

    return establish


def into_tokens(
    accounts: Accounts, origin: Origin, scopes: Sequence[str] | None
) -> Establish[Pair]:
    def establish(session: Session, proof: Proof, account: Account, now: datetime) -> Pair:
        return grant(accounts, session, proof, now, origin, epoch=account.epoch, scopes=scopes)

    return establish


def into_same(
    accounts: Accounts, request: Request, asking: Actor, origin: Origin
) -> Establish[Given]:
    """What whoever asks has already, anew: a session for a session, tokens for a token."""
    session = into_session(accounts, request, origin)
    tokens = into_tokens(accounts, origin, None)

    def establish(unit: Session, proof: Proof, account: Account, now: datetime) -> Given:
        if asking.method == "session":
            return session(unit, proof, account, now)
        return tokens(unit, proof, account, now) if asking.method == "bearer" else None

    return establish


def same_again(
    accounts: Accounts, request: Request, asking: Actor, origin: Origin
) -> Callable[[Session, Account, datetime], Given]:
    """What whoever asks has, for as much as they have proved."""
    proof, establish = proof_from(asking), into_same(accounts, request, asking, origin)
    return lambda session, account, now: establish(session, proof, account, now)


def answer(
    body: BaseModel | Mapping[str, Any] | None,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Never kept by anybody on the way."""
    sent = {"cache-control": "no-store", **(headers or {})}
    if body is None:
        return Response(status_code=204, headers=sent)
    content = body.model_dump_json().encode() if isinstance(body, BaseModel) else orjson.dumps(body)
    return Response(content, status, sent, "application/json")


def waiting(found: Pending, headers: Mapping[str, str]) -> Response:
    return answer(Waits(flow=found.flow, factors=list(found.factors)), 202, headers=headers)


def token_answer(pair: Pair, headers: Mapping[str, str] | None = None) -> Response:
    body = TokenAnswer(
        access_token=pair.access,
        expires_in=pair.expires_in,
        refresh_token=pair.refresh,
        scope=pair.scopes,
    )
    return answer(body, headers=headers)


def given_anew(accounts: Accounts, request: Request, given: Given) -> Response:
    """Tokens in the body, a session as a cookie."""
    if isinstance(given, Pair):
        return token_answer(given)
    response = answer(None)
    if isinstance(given, Begun):
        set_session(accounts, request, response, given)
    return response


def added_answer(
    accounts: Accounts, request: Request, codes: Sequence[str], given: Given
) -> Response:
    """Of a second factor that counts now: its recovery codes, and what replaces the credential."""
    told: dict[str, object] = {"recovery_codes": list(codes)}
    if isinstance(given, Pair):
        told |= {"access_token": given.access, "refresh_token": given.refresh}
    response = answer(told)
    if isinstance(given, Begun):
        set_session(accounts, request, response, given)
    return response


def set_session(accounts: Accounts, request: Request, response: Response, begun: Begun) -> None:
    set_cookie(accounts, request, response, begun.cookie, begun.expires_at)


def remember_device(
    accounts: Accounts, request: Request, response: Response, user_id: UUID
) -> None:
    """So that failures of strangers do not delay who signs in here."""
    now = accounts.now()
    sealed = accounts.sealer.seal(DEVICE, str(user_id).encode(), now=now, lifetime=DEVICE_LIFE)
    set_cookie(accounts, request, response, sealed, now + DEVICE_LIFE, suffix=DEVICE_SUFFIX)


def device_of(accounts: Accounts, request: Request) -> str | None:
    sealed = cookie_of(accounts, request, DEVICE_SUFFIX)
    if sealed is None:
        return None
    try:
        return accounts.sealer.open(DEVICE, sealed, now=accounts.now()).content.decode()
    except BadCredential:
        return None


def account_shown(account: Account) -> AccountShown:
    return AccountShown(
        id=account.id,
        username=account.username,
        email=account.email,
        email_verified=account.email_verified_at is not None,
        phone=account.phone,
        created_at=account.created_at,
    )
