"""/auth/sign-up/invited: an account by a link that whoever runs the application has made."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from tilth.features.auth.routes.answering import account_shown, answer
from tilth.features.auth.routes.bodies import Accepted, AccountShown
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.service import invitations
from tilth.features.auth.service.origins import origin_of


async def accept(accounts: Here, request: Request, body: Accepted) -> Response:
    """Make the account that an invitation, or the link of the first administrator, stands for."""
    account = await invitations.accept(
        accounts, body.token, body.username, body.password, origin_of(request)
    )
    return answer(account_shown(account), 201)


INVITED = (Endpoint("POST", "/sign-up/invited", accept, status=201, answers=AccountShown),)
