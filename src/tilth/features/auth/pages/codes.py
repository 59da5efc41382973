"""The page of recovery codes, shown once, by the answer that replaces the session."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from tilth.features.auth.pages.rendering import Pages
from tilth.features.auth.routes.answering import set_session
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.session_credentials import Begun


def codes_shown(
    accounts: Accounts, pages: Pages, request: Request, codes: Sequence[str], begun: object
) -> Response:
    """begun: the session that goes on, where there is one to go on."""
    response = pages.page(request, "codes", codes=codes)
    if isinstance(begun, Begun):
        set_session(accounts, request, response, begun)
    return response
