"""Codes by mail on /account: set up, confirmed, and asked for where more has to be proved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from tilth.features.auth.models.audit import Origin
from tilth.features.auth.models.users import Account
from tilth.features.auth.pages.codes import codes_shown
from tilth.features.auth.pages.forms import id_in
from tilth.features.auth.pages.rendering import Pages
from tilth.features.auth.routes.answering import into_same, own, proof_from
from tilth.features.auth.service import factors_kept, mail_codes
from tilth.features.auth.service.accounts import Accounts
from tilth.kernel.policy.actor import Actor


class Shown(Protocol):
    """The page of an account, with words of one of its forms."""

    async def __call__(
        self, request: Request, asking: Actor, account: Account, **words: object
    ) -> Response: ...


class MailFactorActs:
    """Forms of the account page. shown: that page."""

    def __init__(self, accounts: Accounts, pages: Pages, shown: Shown) -> None:
        self.accounts, self.pages, self.shown = accounts, pages, shown

    async def offer(
        self,
        request: Request,
        asking: Actor,
        account: Account,
        origin: Origin,
        given: Mapping[str, str],
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        made = await mail_codes.offer(self.accounts, account, origin)
        words = {"about": "confirm_mail", "given": {"id": str(made)}}
        return await self.shown(request, asking, account, **words)

    async def confirm(
        self,
        request: Request,
        asking: Actor,
        account: Account,
        origin: Origin,
        given: Mapping[str, str],
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        confirmed, begun = await factors_kept.confirm_mail(
            self.accounts,
            account,
            id_in(given),
            given.get("code", ""),
            proof_from(asking),
            origin,
            into_same(self.accounts, request, asking, origin),
        )
        return codes_shown(self.accounts, self.pages, request, confirmed.codes, begun)

    async def send(
        self,
        request: Request,
        asking: Actor,
        account: Account,
        origin: Origin,
        given: Mapping[str, str],
    ) -> Response:
        """For who has to prove more before something else."""
        session_id = UUID(str(asking.credential))
        await mail_codes.send_for_session(self.accounts, account, session_id, origin)
        return await self.shown(request, asking, account, about="prove", is_sent=True)
