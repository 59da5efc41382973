"""/auth/sign-up, /auth/sign-in, /auth/sign-out, /auth/magic-link: for browsers, which keep a cookie."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tilth.features.auth.models.audit import record
from tilth.features.auth.models.sessions import end_by_digest
from tilth.features.auth.models.users import raise_epoch
from tilth.features.auth.routes.answering import (
    account_shown,
    actor,
    answer,
    device_of,
    into_session,
    remember_device,
    set_session,
    waiting,
)
from tilth.features.auth.routes.bodies import (
    AccountShown,
    Begin,
    Code,
    Credentials,
    FlowSent,
    Forgotten,
    SessionCode,
    Signed,
    SignUp,
    Waits,
)
from tilth.features.auth.routes.endpoints import SECOND_FACTOR, Endpoint, Here
from tilth.features.auth.routes.trusted import remember_trust, trusted_here, wanted_trust
from tilth.features.auth.service import magic, sign_up
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.browser import DATA_SUFFIX, cookie_of, drop_cookie
from tilth.features.auth.service.credentials_changed import tell
from tilth.features.auth.service.origins import origin_of
from tilth.features.auth.service.passwords_asked import asked_from, prove_password
from tilth.features.auth.service.session_credentials import Begun
from tilth.features.auth.service.sign_in import Pending, SignedIn, complete, sign_in
from tilth.features.auth.service.trusted import trusting
from tilth.kit.secrets import token_digest


async def make_account(accounts: Here, request: Request, body: SignUp) -> Response:
    """Make an account. One with an e-mail address begins when the link in the mail is followed."""
    wish = sign_up.Wish(body.username, body.email, body.phone, body.password)
    found = await sign_up.sign_up(accounts, wish, origin_of(request))
    if isinstance(found, sign_up.Waiting):
        return answer(FlowSent(flow=found.flow), 202, headers=found.admission.headers)
    return answer(account_shown(found.account), 201, headers=found.admission.headers)


async def confirm_account(accounts: Here, request: Request, body: Begin) -> Response:
    """Begin the account that a mail was sent for."""
    account = await sign_up.confirm(
        accounts, body.token, origin_of(request), flow=body.flow, password=body.password
    )
    return answer(account_shown(account), 201)


async def sign_in_by_password(accounts: Here, request: Request, body: Credentials) -> Response:
    """Sign in: the session is a cookie."""
    origin = origin_of(request)
    asked = asked_from(body.name, body.password, origin, device_of(accounts, request))
    proved = await prove_password(accounts, asked)
    establish = into_session(accounts, request, origin)
    trusted = trusted_here(accounts, request)
    found = await sign_in(accounts, proved, origin, establish, is_trusted=trusted)
    return signed(accounts, request, found, proved.admission.headers)


async def sign_in_by_factor(accounts: Here, request: Request, body: SessionCode) -> Response:
    """The second step: a code of the authenticator app or of a mail, or a recovery code."""
    origin = origin_of(request)
    establish = into_session(accounts, request, origin)
    trust = wanted_trust(accounts, body.trust_device)
    if trust is not None:
        establish = trusting(trust, origin, establish)
    found = await complete(accounts, body.flow, body.code, origin, establish)
    tell_of_recovery(accounts, found, origin.address)
    response = signed(accounts, request, found, found.admission.headers)
    remember_trust(accounts, request, response, trust, found.factor)
    return response


async def ask_for_link(accounts: Here, request: Request, body: Forgotten) -> Response:
    """Have a link and a code sent by mail, to sign in without a password."""
    asked = await magic.ask_for_link(accounts, body.identifier, origin_of(request))
    return answer(FlowSent(flow=asked.flow), 202, headers=asked.admission.headers)


async def sign_in_by_mail(accounts: Here, request: Request, body: Code) -> Response:
    """code: from the mail, or the token of its link."""
    origin = origin_of(request)
    establish = into_session(accounts, request, origin)
    found = await magic.sign_in_by_mail(accounts, body.flow, body.code, origin, establish)
    headers = found.admission.headers if isinstance(found, SignedIn) else {}
    return signed(accounts, request, found, headers)


async def sign_out(accounts: Here, request: Request) -> Response:
    """End this session. Answered alike when there is none."""
    return await end_asking(accounts, request, answer(None))


async def end_asking(accounts: Accounts, request: Request, response: Response) -> Response:
    """The session that asks is over, and the browser forgets it with this response."""
    cookie = cookie_of(accounts, request)
    if cookie is not None:
        await _end(accounts, request, cookie)
    response.headers["clear-site-data"] = '"cache", "storage"'
    drop_cookie(accounts, request, response)
    if cookie_of(accounts, request, DATA_SUFFIX) is not None:
        drop_cookie(accounts, request, response, suffix=DATA_SUFFIX)
    return response


def signed(
    accounts: Accounts, request: Request, found: SignedIn[Begun] | Pending, headers: dict[str, str]
) -> Response:
    """The session as a cookie, or what is still to be proved."""
    if isinstance(found, Pending):
        return waiting(found, headers)
    begun = found.result
    body = Signed(account=account_shown(found.account), expires_at=begun.expires_at)
    response = answer(body, headers=headers)
    set_session(accounts, request, response, begun)
    remember_device(accounts, request, response, found.account.id)
    return response


def tell_of_recovery(accounts: Accounts, found: SignedIn[Any], address: str | None) -> None:
    """Whoever has a recovery code does without what its owner carries."""
    if found.factor is not None and found.factor.left is not None:
        left = found.factor.left
        tell(accounts, "recovery_used", found.account, accounts.now(), address, left=left)


async def _end(accounts: Accounts, request: Request, cookie: str) -> None:
    """A sealed session cannot be ended alone: all of its user's end."""
    asking = await actor(accounts, request)
    origin = origin_of(request, asking)

    def ended(session: Session, now: object) -> None:
        gone = end_by_digest(session, token_digest(cookie))
        user_id = gone.user_id if gone is not None else None
        if gone is None and asking.method == "session" and asking.id is not None:
            user_id = UUID(asking.id)
            raise_epoch(session, user_id)
        if user_id is not None:
            record(session, "sign_out", accounts.now(), origin, user_id=user_id)

    await accounts.changed(ended)


SIGNING = (
    Endpoint(
        "POST",
        "/sign-up",
        make_account,
        status=201,
        answers=AccountShown,
        others={202: {"model": FlowSent, "description": "A mail was sent: follow its link."}},
    ),
    Endpoint("POST", "/sign-up/confirm", confirm_account, status=201, answers=AccountShown),
    Endpoint(
        "POST",
        "/sign-in",
        sign_in_by_password,
        answers=Signed,
        others={202: {"model": Waits, "description": SECOND_FACTOR}},
    ),
    Endpoint("POST", "/sign-in/second-factor", sign_in_by_factor, answers=Signed),
    Endpoint("POST", "/magic-link", ask_for_link, status=202, answers=FlowSent),
    Endpoint(
        "POST",
        "/magic-link/sign-in",
        sign_in_by_mail,
        answers=Signed,
        others={202: {"model": Waits, "description": SECOND_FACTOR}},
    ),
    Endpoint("POST", "/sign-out", sign_out, status=204),
)
