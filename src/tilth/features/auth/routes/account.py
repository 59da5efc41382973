"""/auth/me and below /auth: an account in the hands of its owner."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from tilth.errors import NotFound, Unauthenticated
from tilth.features.auth.models.audit import history, record
from tilth.features.auth.models.sessions import end_session, sessions_of
from tilth.features.auth.routes.answering import (
    account_shown,
    actor,
    answer,
    confirmed,
    given_anew,
    into_same,
    own,
    proof_from,
    same_again,
    set_session,
)
from tilth.features.auth.routes.bodies import (
    Confirmation,
    EmailChange,
    Exported,
    Forgotten,
    Happened,
    History,
    Impersonation,
    Link,
    Me,
    PasswordChange,
    Reset,
    Sent,
    SessionShown,
    SessionsShown,
    Signed,
    StepUp,
)
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.service import (
    addresses_changed,
    passwords_changed,
    step_up,
    support,
)
from tilth.features.auth.service.account_kept import (
    account_of,
    end_account,
    end_others,
    export,
)
from tilth.features.auth.service.browser import cookie_of, drop_cookie
from tilth.features.auth.service.origins import origin_of
from tilth.features.auth.service.passwords_asked import prove_again
from tilth.kit.secrets import token_digest


async def me(accounts: Here, request: Request) -> Response:
    """Who is asking, and what they may."""
    asking = await actor(accounts, request)
    account = await account_of(accounts, asking.id)
    cookie = cookie_of(accounts, request)
    token = accounts.borders.token(token_digest(cookie)) if cookie else None
    shown = Me(
        **account_shown(account).model_dump(),
        roles=sorted(asking.roles),
        permissions=sorted(asking.permissions),
        has_password=account.hash is not None,
        has_second_factor=account.factors > 0,
        assurance=asking.assurance,
        method=asking.method,
        authenticated_at=asking.authenticated_at,
        impersonator=UUID(asking.impersonator) if asking.impersonator else None,
        csrf_token=token,
    )
    return answer(shown)


async def forgot(accounts: Here, request: Request, body: Forgotten) -> Response:
    """Have a link sent to choose a new password. Answered alike whether there is an account."""
    admission = await passwords_changed.forget(accounts, body.identifier, origin_of(request))
    return answer(Sent(), 202, headers=admission.headers)


async def reset(accounts: Here, request: Request, body: Reset) -> Response:
    """Choose a new password by the link. Signs nobody in; everything of before is signed out."""
    await passwords_changed.reset(accounts, body.token, body.password, origin_of(request))
    return answer(None)


async def change_password(accounts: Here, request: Request, body: PasswordChange) -> Response:
    """Change the password, or set the first one. Everything else is signed out; this session is replaced."""
    asking, account, origin = await own(accounts, request)
    proved = await confirmed(accounts, asking, account, body.current_password, origin)
    given = await passwords_changed.change_password(
        accounts,
        proved,
        body.new_password,
        origin,
        into_same(accounts, request, asking, origin),
        assurance=asking.assurance,
        methods=proof_from(asking).methods,
    )
    return given_anew(accounts, request, given)


async def change_email(accounts: Here, request: Request, body: EmailChange) -> Response:
    """Use another address, once the link that is sent there is followed. The old one is told."""
    asking, account, origin = await own(accounts, request)
    proved = await confirmed(accounts, asking, account, body.current_password, origin)
    await addresses_changed.ask_for_change(accounts, proved, body.email, origin)
    return answer(Sent(), 202)


async def confirm_email(accounts: Here, request: Request, body: Link) -> Response:
    await addresses_changed.confirm_change(accounts, body.token, origin_of(request))
    return answer(None)


async def ask_for_verification(accounts: Here, request: Request) -> Response:
    """Have a link sent to the account's address, unless that is confirmed."""
    _, account, origin = await own(accounts, request)
    await addresses_changed.ask_for_verification(accounts, account, origin)
    return answer(Sent(), 202)


async def verify(accounts: Here, request: Request, body: Link) -> Response:
    await addresses_changed.verify(accounts, body.token, origin_of(request))
    return answer(None)


async def prove_more(accounts: Here, request: Request, body: StepUp) -> Response:
    """Prove again who you are, or by a second factor. The session is replaced by a stronger one."""
    asking, account, origin = await own(accounts, request)
    if asking.method != "session" or asking.credential is None:
        raise Unauthenticated("Only a session can be stepped up; sign in by it.")
    proof, old = proof_from(asking), UUID(asking.credential)
    establish = into_same(accounts, request, asking, origin)
    if body.password is not None:
        proved = await prove_again(accounts, account, body.password, origin)
        given = await step_up.by_password(accounts, proved, proof, old, origin, establish)
    else:
        given = await step_up.by_factor(
            accounts, account, body.code or "", proof, old, origin, establish
        )
    return given_anew(accounts, request, given)


async def delete_account(accounts: Here, request: Request, body: Confirmation) -> Response:
    """For good, with its sessions, keys and factors."""
    asking, account, origin = await own(accounts, request)
    proved = await confirmed(accounts, asking, account, body.current_password, origin)
    await end_account(accounts, proved, origin)
    response = answer(None)
    drop_cookie(accounts, request, response)
    return response


async def export_account(accounts: Here, request: Request) -> Response:
    """Everything that is kept of the account here."""
    _, account, _ = await own(accounts, request)
    found = await export(accounts, account.id)
    return answer(found, headers={"content-disposition": 'attachment; filename="account.json"'})


async def what_happened(accounts: Here, request: Request) -> Response:
    """What happened to the account, newest first."""
    _, account, _ = await own(accounts, request)
    rows = await accounts.run(lambda session, _: history(session, account.id))
    shown = [
        Happened(impersonator=row["impersonator_id"], **row).model_dump(mode="json") for row in rows
    ]
    return answer({"items": shown})


async def sessions(accounts: Here, request: Request) -> Response:
    """Where the account is signed in."""
    asking, account, _ = await own(accounts, request)
    rows = await accounts.run(lambda session, now: sessions_of(session, account.id, now))
    shown = [
        SessionShown(
            id=row["id"],
            is_current=str(row["id"]) == asking.credential,
            created_at=row["created_at"],
            seen_at=row["seen_at"],
            expires_at=row["expires_at"],
            address=row["address"],
            agent=row["agent"],
            assurance=row["assurance"],
            methods=row["methods"].split(),
            impersonator=row["impersonator_id"],
        ).model_dump(mode="json")
        for row in rows
    ]
    return answer({"items": shown})


async def revoke(accounts: Here, request: Request, session_id: UUID) -> Response:
    _, account, origin = await own(accounts, request)

    def ended(session: Session, now: object) -> bool:
        if end_session(session, session_id, account.id) is None:
            return False
        data = {"session": str(session_id)}
        record(session, "session.revoked", accounts.now(), origin, user_id=account.id, data=data)
        return True

    if not await accounts.changed(ended):
        raise NotFound("There is no such session.")
    return answer(None)


async def revoke_others(accounts: Here, request: Request) -> Response:
    """All sessions and tokens but what asks."""
    asking, account, origin = await own(accounts, request)
    again = same_again(accounts, request, asking, origin)
    return given_anew(accounts, request, await end_others(accounts, account, asking, origin, again))


async def impersonate(accounts: Here, request: Request, body: Impersonation) -> Response:
    """Act as somebody else for support: for a reason, for an hour at most, never upwards."""
    asking, _, origin = await own(accounts, request, fresh=True)
    life = timedelta(minutes=body.minutes)
    begun = await support.impersonate(accounts, asking, body.user_id, body.reason, life, origin)
    other = await account_of(accounts, str(body.user_id))
    response = answer(Signed(account=account_shown(other), expires_at=begun.expires_at))
    set_session(accounts, request, response, begun)
    return response


ACCOUNT = (
    Endpoint("GET", "/me", me, answers=Me),
    Endpoint("POST", "/forgot", forgot, status=202, answers=Sent),
    Endpoint("POST", "/reset", reset, status=204),
    Endpoint("POST", "/password", change_password, status=204),
    Endpoint("POST", "/email", change_email, status=202, answers=Sent),
    Endpoint("POST", "/email/confirm", confirm_email, status=204),
    Endpoint("POST", "/verify", ask_for_verification, status=202, answers=Sent),
    Endpoint("POST", "/verify/confirm", verify, status=204),
    Endpoint("POST", "/step-up", prove_more, status=204),
    Endpoint("POST", "/delete-account", delete_account, status=204),
    Endpoint("GET", "/export", export_account, answers=Exported),
    Endpoint("GET", "/history", what_happened, answers=History),
)

SESSIONS = (
    Endpoint("GET", "/sessions", sessions, answers=SessionsShown),
    Endpoint("DELETE", "/sessions/{session_id}", revoke, status=204),
    Endpoint("POST", "/sessions/revoke-others", revoke_others, status=204),
    Endpoint("POST", "/impersonate", impersonate, answers=Signed),
)
