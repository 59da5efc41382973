"""/auth/factors/mail and /auth/second-factor/mail: codes by mail as a second factor."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from tilth.errors import Unauthenticated
from tilth.features.auth.routes.answering import (
    added_answer,
    answer,
    into_same,
    own,
    proof_from,
)
from tilth.features.auth.routes.bodies import Codes, FactorCode, FactorSent, Flow, Sent
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.service import factors_kept, mail_codes
from tilth.features.auth.service.origins import origin_of


async def offer(accounts: Here, request: Request) -> Response:
    """Have a code sent to the confirmed address. The factor counts once that code comes back."""
    _, account, origin = await own(accounts, request, fresh=True)
    made = await mail_codes.offer(accounts, account, origin)
    return answer(FactorSent(id=made), 201)


async def confirm(accounts: Here, request: Request, body: FactorCode) -> Response:
    """From now on a code is asked for. Everything else is signed out; this session is replaced."""
    asking, account, origin = await own(accounts, request, fresh=True)
    establish = into_same(accounts, request, asking, origin)
    confirmed, given = await factors_kept.confirm_mail(
        accounts, account, body.id, body.code, proof_from(asking), origin, establish
    )
    return added_answer(accounts, request, confirmed.codes, given)


async def send(accounts: Here, request: Request, body: Flow) -> Response:
    """Have a code sent for a sign-in that asks for a second factor, of a session or of tokens."""
    admission = await mail_codes.send_for_sign_in(accounts, body.flow, origin_of(request))
    return answer(Sent(), 202, headers=admission.headers)


async def send_to_step_up(accounts: Here, request: Request) -> Response:
    """Have a code sent to prove more, by `step-up`."""
    asking, account, origin = await own(accounts, request)
    if asking.method != "session" or asking.credential is None:
        raise Unauthenticated("Only a session can be stepped up; sign in by it.")
    admission = await mail_codes.send_for_session(accounts, account, asking.credential, origin)
    return answer(Sent(), 202, headers=admission.headers)


MAIL_CODES = (
    Endpoint("POST", "/factors/mail", offer, status=201, answers=FactorSent),
    Endpoint("POST", "/factors/mail/confirm", confirm, answers=Codes),
    Endpoint("POST", "/second-factor/mail", send, status=202, answers=Sent),
    Endpoint("POST", "/step-up/mail", send_to_step_up, status=202, answers=Sent),
)
