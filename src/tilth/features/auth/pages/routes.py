"""The addresses of the pages; none of them is part of the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import BaseRoute, Route

from tilth.features.auth.pages.account import AccountPages, Act
from tilth.features.auth.pages.invited import InvitedPages
from tilth.features.auth.pages.rendering import SCRIPT_PATH, STYLE_PATH, Pages, script, style
from tilth.features.auth.pages.signing import SigningPages
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.addresses_changed import CHANGE_PATH, VERIFY_PATH
from tilth.features.auth.service.invitations import LINK_PATH as INVITED_PATH
from tilth.features.auth.service.magic import LINK_PATH as MAIL_PATH
from tilth.features.auth.service.passwords_changed import LINK_PATH as RESET_PATH
from tilth.features.auth.service.sign_up import LINK_PATH as SIGN_UP_PATH


def page_routes(accounts: Accounts) -> Sequence[BaseRoute]:
    party = accounts.passkeys.party if accounts.passkeys else None
    pages = Pages(accounts, party.id if party else None)
    signing = SigningPages(accounts, pages)
    by_passkey, acts = _passkeys(accounts, pages, signing) if party else ((), {})
    account = AccountPages(accounts, pages, acts)
    both = ["GET", "POST"]
    return [
        Route("/sign-in", signing.sign_in, methods=both),
        Route("/mfa", signing.second_factor, methods=both),
        Route(MAIL_PATH, signing.by_mail, methods=both),
        Route("/sign-out", signing.sign_out, methods=["POST"]),
        Route("/sign-up", signing.sign_up, methods=both),
        Route(INVITED_PATH, InvitedPages(accounts, pages).accept, methods=both),
        Route(SIGN_UP_PATH, signing.confirm_account, methods=both),
        Route(RESET_PATH, signing.reset, methods=both),
        Route(VERIFY_PATH, signing.confirm_address, methods=both),
        Route(CHANGE_PATH, signing.confirm_change, methods=both),
        Route("/account", account.account, methods=both),
        Route(STYLE_PATH, style),
        *by_passkey,
    ]


def _passkeys(
    accounts: Accounts, pages: Pages, signing: SigningPages
) -> tuple[Sequence[BaseRoute], Mapping[str, Act]]:
    # Behind them is a library that is installed only where they are wanted.
    from tilth.features.auth.pages.passkeys import PasskeyPages

    found = PasskeyPages(accounts, pages, signing)
    routes = [
        Route("/sign-in/passkey", found.sign_in, methods=["POST"]),
        Route("/mfa/passkey", found.second_factor, methods=["POST"]),
        Route(SCRIPT_PATH, script),
    ]
    return routes, found.acts
