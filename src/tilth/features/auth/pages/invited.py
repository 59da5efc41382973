"""/sign-up/invited: where the link of the first administrator, or of an invitation, leads to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tilth.errors import ProblemError
from tilth.features.auth.pages.forms import form_of
from tilth.features.auth.pages.rendering import Pages
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.invitations import accept
from tilth.features.auth.service.origins import origin_of


class InvitedPages:
    def __init__(self, accounts: Accounts, pages: Pages) -> None:
        self.accounts, self.pages = accounts, pages

    async def accept(self, request: Request) -> Response:
        if request.method != "POST":
            token = request.query_params.get("token", "")
            return self.pages.page(request, "invited", token=token)
        given = await form_of(request)
        token, username = given.get("token", ""), given.get("username", "")
        origin, password = origin_of(request), given.get("password", "")
        try:
            await accept(self.accounts, token, username, password, origin)
        except ProblemError as problem:
            return self.pages.page(request, "invited", problem=problem, given=given, token=token)
        told = "Your account is there. Sign in with it."
        return self.pages.page(request, "done", heading="Welcome", told=told)
