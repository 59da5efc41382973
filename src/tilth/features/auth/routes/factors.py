"""/auth/factors: second factors."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from tilth.features.auth.models.factors import factors_of
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.routes.answering import (
    added_answer,
    answer,
    into_same,
    own,
    proof_from,
    set_session,
    token_answer,
)
from tilth.features.auth.routes.bodies import (
    Codes,
    FactorCode,
    FactorName,
    FactorOffered,
    FactorShown,
    FactorsShown,
)
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.service import factors_kept
from tilth.features.auth.service.grants import Pair
from tilth.features.auth.service.session_credentials import Begun


async def factors(accounts: Here, request: Request) -> Response:
    _, account, _ = await own(accounts, request)
    rows = await accounts.run(lambda session, _: factors_of(session, account.id))
    return answer({"items": [FactorShown(**row).model_dump(mode="json") for row in rows]})


async def offer_totp(accounts: Here, request: Request, body: FactorName) -> Response:
    """Set up an authenticator app. It counts once it is confirmed by a code."""
    _, account, origin = await own(accounts, request, fresh=True)
    made = await factors_kept.offer_totp(accounts, account, body.name, origin)
    return answer(FactorOffered(id=made.id, secret=made.secret, uri=made.uri), 201)


async def confirm_totp(accounts: Here, request: Request, body: FactorCode) -> Response:
    """From now on a code is asked for. Everything else is signed out; this session is replaced."""
    asking, account, origin = await own(accounts, request, fresh=True)
    establish = into_same(accounts, request, asking, origin)
    confirmed, given = await factors_kept.confirm_totp(
        accounts, account, body.id, body.code, proof_from(asking), origin, establish
    )
    return added_answer(accounts, request, confirmed.codes, given)


async def remove_factor(accounts: Here, request: Request, factor_id: UUID) -> Response:
    """Everything else is signed out; this session is replaced."""
    asking, account, origin = await own(accounts, request, fresh=True)
    proof = proof_from(asking)
    weaker = Proof(proof.user_id, 1, proof.methods[:1], proof.at)
    establish = into_same(accounts, request, asking, origin)
    given = await factors_kept.remove(accounts, account, factor_id, weaker, origin, establish)
    if isinstance(given, Pair):
        return token_answer(given)
    response = answer(None)
    if isinstance(given, Begun):
        set_session(accounts, request, response, given)
    return response


async def renew_codes(accounts: Here, request: Request) -> Response:
    """Ten new recovery codes. Those of before are worth nothing."""
    _, account, origin = await own(accounts, request, fresh=True)
    found = await factors_kept.renew_codes(accounts, account, origin)
    return answer(Codes(recovery_codes=list(found.codes)))


FACTORS = (
    Endpoint("GET", "/factors", factors, answers=FactorsShown),
    Endpoint("POST", "/factors/totp", offer_totp, status=201, answers=FactorOffered),
    Endpoint("POST", "/factors/totp/confirm", confirm_totp, answers=Codes),
    Endpoint("DELETE", "/factors/{factor_id}", remove_factor, status=204),
    Endpoint("POST", "/factors/recovery-codes", renew_codes, answers=Codes),
)
