"""/auth/passkeys, and /passkey below whatever a passkey may be used for."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from tilth.errors import Unauthenticated
from tilth.features.auth.models.passkeys import passkeys_of
from tilth.features.auth.routes.answering import (
    answer,
    given_anew,
    into_same,
    into_session,
    into_tokens,
    own,
    proof_from,
    set_session,
    token_answer,
)
from tilth.features.auth.routes.bodies import Signed, TokenAnswer
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.routes.passkey_bodies import (
    PasskeyAdded,
    PasskeyAsked,
    PasskeyMade,
    PasskeyNamed,
    PasskeyShown,
    PasskeysShown,
    PasskeyUsed,
    TokenPasskey,
    Waiting,
)
from tilth.features.auth.routes.signing import signed
from tilth.features.auth.service.grants import Pair
from tilth.features.auth.service.origins import origin_of
from tilth.features.auth.service.passkeys import asked, kept
from tilth.features.auth.service.passkeys.challenges import Asked
from tilth.features.auth.service.session_credentials import Begun


async def passkeys(accounts: Here, request: Request) -> Response:
    _, account, _ = await own(accounts, request)
    rows = await accounts.run(lambda session, _: passkeys_of(session, account.id))
    items = [
        PasskeyShown(
            id=row.id,
            name=row.name,
            is_backed_up=row.is_backed_up,
            opens_alone=row.opens_alone,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )
        for row in rows
    ]
    return answer(PasskeysShown(items=items))


async def ask_to_enrol(accounts: Here, request: Request) -> Response:
    """Begin to add a passkey: what the browser has to make."""
    asking, account, _ = await own(accounts, request, fresh=True)
    return _asked(await kept.ask_to_enrol(accounts, account, str(asking.credential)))


async def enrol(accounts: Here, request: Request, body: PasskeyMade) -> Response:
    """Add the passkey that was made. Everything else is signed out; this session is replaced."""
    asking, account, origin = await own(accounts, request, fresh=True)
    made, given = await kept.enrol(
        accounts,
        account,
        body.flow,
        body.credential.model_dump(),
        body.name,
        str(asking.credential),
        proof_from(asking),
        origin,
        into_same(accounts, request, asking, origin),
    )
    told = PasskeyAdded(id=made.id, recovery_codes=list(made.codes))
    if isinstance(given, Pair):
        told.access_token, told.refresh_token = given.access, given.refresh
    response = answer(told, 201)
    if isinstance(given, Begun):
        set_session(accounts, request, response, given)
    return response


async def rename(
    accounts: Here, request: Request, passkey_id: UUID, body: PasskeyNamed
) -> Response:
    _, account, _ = await own(accounts, request)
    await kept.rename(accounts, account, passkey_id, body.name)
    return answer(None)


async def remove(accounts: Here, request: Request, passkey_id: UUID) -> Response:
    """Everything else is signed out; this session is replaced. 409 for the only way in."""
    asking, account, origin = await own(accounts, request, fresh=True)
    establish = into_same(accounts, request, asking, origin)
    proof = proof_from(asking)
    given = await kept.remove(accounts, account, passkey_id, proof, origin, establish)
    return given_anew(accounts, request, given)


async def ask_to_sign_in(accounts: Here, request: Request) -> Response:
    """Begin to sign in by a passkey. Names nobody, and asks for no name."""
    found, admission = await asked.ask_to_sign_in(accounts, origin_of(request))
    return _asked(found, admission.headers)


async def sign_in(accounts: Here, request: Request, body: PasskeyUsed) -> Response:
    """Sign in by a passkey alone: the session is a cookie."""
    origin = origin_of(request)
    establish = into_session(accounts, request, origin)
    found = await asked.sign_in_by_passkey(
        accounts, body.flow, body.credential.model_dump(), origin, establish
    )
    return signed(accounts, request, found, found.admission.headers)


async def ask_for_factor(accounts: Here, request: Request, body: Waiting) -> Response:
    """Begin the second step by a passkey of the account whose password was right."""
    return _asked(await asked.ask_for_factor(accounts, body.flow, origin_of(request)))


async def complete(accounts: Here, request: Request, body: PasskeyUsed) -> Response:
    """The second step, by a passkey."""
    origin = origin_of(request)
    establish = into_session(accounts, request, origin)
    found = await asked.complete_by_passkey(
        accounts, body.flow, body.credential.model_dump(), origin, establish
    )
    return signed(accounts, request, found, found.admission.headers)


async def ask_to_step_up(accounts: Here, request: Request) -> Response:
    """Begin to prove again who you are, by a passkey."""
    asking, account, _ = await own(accounts, request)
    return _asked(await asked.ask_to_step_up(accounts, account, str(asking.credential)))


async def step_up(accounts: Here, request: Request, body: PasskeyUsed) -> Response:
    """The session is replaced by one that rests on two factors."""
    asking, account, origin = await own(accounts, request)
    if asking.method != "session" or asking.credential is None:
        raise Unauthenticated("Only a session can be stepped up; sign in by it.")
    given = await asked.step_up_by_passkey(
        accounts,
        account,
        body.flow,
        body.credential.model_dump(),
        proof_from(asking),
        UUID(asking.credential),
        origin,
        into_same(accounts, request, asking, origin),
    )
    return given_anew(accounts, request, given)


async def token(accounts: Here, request: Request, body: TokenPasskey) -> Response:
    """Sign in by a passkey alone, for tokens."""
    origin = origin_of(request)
    establish = into_tokens(accounts, origin, body.scopes)
    found = await asked.sign_in_by_passkey(
        accounts, body.flow, body.credential.model_dump(), origin, establish
    )
    return token_answer(found.result, found.admission.headers)


async def token_by_factor(accounts: Here, request: Request, body: TokenPasskey) -> Response:
    """The second step by a passkey, for tokens."""
    origin = origin_of(request)
    establish = into_tokens(accounts, origin, body.scopes)
    found = await asked.complete_by_passkey(
        accounts, body.flow, body.credential.model_dump(), origin, establish
    )
    return token_answer(found.result, found.admission.headers)


def _asked(found: Asked, headers: dict[str, str] | None = None) -> Response:
    body = PasskeyAsked(flow=found.flow, publicKey=dict(found.public_key))
    return answer(body, headers=headers)


PASSKEYS = (
    Endpoint("GET", "/passkeys", passkeys, answers=PasskeysShown),
    Endpoint("POST", "/passkeys/options", ask_to_enrol, answers=PasskeyAsked),
    Endpoint("POST", "/passkeys", enrol, status=201, answers=PasskeyAdded),
    Endpoint("PATCH", "/passkeys/{passkey_id}", rename, status=204),
    Endpoint("DELETE", "/passkeys/{passkey_id}", remove, status=204),
    Endpoint("POST", "/sign-in/passkey/options", ask_to_sign_in, answers=PasskeyAsked),
    Endpoint("POST", "/sign-in/passkey", sign_in, answers=Signed),
    Endpoint(
        "POST", "/sign-in/second-factor/passkey/options", ask_for_factor, answers=PasskeyAsked
    ),
    Endpoint("POST", "/sign-in/second-factor/passkey", complete, answers=Signed),
    Endpoint("POST", "/step-up/passkey/options", ask_to_step_up, answers=PasskeyAsked),
    Endpoint("POST", "/step-up/passkey", step_up, status=204),
)

TOKENS_BY_PASSKEY = (
    Endpoint("POST", "/token/passkey", token, answers=TokenAnswer),
    Endpoint("POST", "/token/second-factor/passkey", token_by_factor, answers=TokenAnswer),
)
