"""/account: what an account is, where it is signed in, its password, second factor and keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from tilth.errors import NotFound, ProblemError, Unauthenticated
from tilth.features.auth.models.api_keys import keys_of
from tilth.features.auth.models.audit import Origin, history, record
from tilth.features.auth.models.factors import factors_of
from tilth.features.auth.models.passkeys import passkeys_of
from tilth.features.auth.models.sessions import end_session, sessions_of
from tilth.features.auth.models.users import Account
from tilth.features.auth.pages.codes import codes_shown
from tilth.features.auth.pages.forms import form_of, id_in
from tilth.features.auth.pages.mail_factor import MailFactorActs
from tilth.features.auth.pages.qr_code import qr_svg
from tilth.features.auth.pages.rendering import Pages, go
from tilth.features.auth.routes.answering import (
    confirmed,
    into_same,
    own,
    proof_from,
    same_again,
    set_session,
)
from tilth.features.auth.service import (
    account_kept,
    addresses_changed,
    api_keys_kept,
    factors_kept,
    passwords_changed,
    step_up,
)
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.browser import drop_cookie
from tilth.features.auth.service.passwords_asked import prove_again
from tilth.features.auth.service.preferences import prefer, preferences_of
from tilth.features.auth.service.session_credentials import Begun
from tilth.features.auth.service.trusted import devices_of, forget_device
from tilth.kernel.policy.actor import Actor

EVENTS_SHOWN = 20

Act = Callable[[Request, Actor, Account, Origin, Mapping[str, str]], Awaitable[Response]]


class AccountPages:
    """One page, and a form for each act, which says what it does in its field `act`."""

    def __init__(
        self, accounts: Accounts, pages: Pages, more: Mapping[str, Act] = MappingProxyType({})
    ) -> None:
        self.accounts, self.pages = accounts, pages
        by_mail = MailFactorActs(accounts, pages, self._page)
        self._acts: Mapping[str, Act] = {
            "password": self._change_password,
            "email": self._change_email,
            "end_session": self._end_session,
            "end_others": self._end_others,
            "offer_factor": self._offer_factor,
            "confirm_factor": self._confirm_factor,
            "remove_factor": self._remove_factor,
            "offer_mail": by_mail.offer,
            "confirm_mail": by_mail.confirm,
            "send_code": by_mail.send,
            "prefer": self._prefer,
            "forget_device": self._forget_device,
            "make_key": self._make_key,
            "revoke_key": self._revoke_key,
            "prove": self._prove,
            "delete": self._delete,
            **more,
        }

    async def account(self, request: Request) -> Response:
        try:
            asking, account, origin = await own(self.accounts, request)
        except Unauthenticated:
            return go(request, f"/sign-in?next={quote(request.url.path)}")
        if request.method != "POST":
            return await self._page(request, asking, account)
        given = await form_of(request)
        act = self._acts.get(given.get("act", ""))
        if act is None:
            raise NotFound("There is no such form.")
        try:
            return await act(request, asking, account, origin, given)
        except ProblemError as problem:
            return await self._page(
                request, asking, account, problem=problem, given=given, about=given["act"]
            )

    async def _page(
        self, request: Request, asking: Actor, account: Account, **words: Any
    ) -> Response:
        def found(session: Any, now: Any) -> dict[str, Any]:
            return {
                "sessions": sessions_of(session, account.id, now),
                "factors": factors_of(session, account.id),
                "passkeys": passkeys_of(session, account.id),
                "devices": devices_of(session, account.id, now),
                "preferred": preferences_of(session, account.id),
                "keys": keys_of(session, account.id),
                "events": history(session, account.id, limit=EVENTS_SHOWN),
            }

        shown = await self.accounts.run(found)
        size = shown["preferred"].text_size
        response = self.pages.page(
            request,
            "account",
            **{
                "about": None,
                "made": None,
                "offered": None,
                "codes": (),
                "is_sent": False,
                **shown,
                **words,
            },
            account=account,
            roles=sorted(asking.roles),
            current=asking.credential,
            has_mail_codes=self.accounts.options.mail_codes,
            languages=[(tag, tag) for tag in self.accounts.options.languages],
            text_size=size,
            qr_svg=qr_svg,
        )
        self.pages.keep_text_size(request, response, size)
        return response

    async def _change_password(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        password = given.get("current_password")
        proved = await confirmed(self.accounts, asking, account, password, origin)
        changed = await passwords_changed.change_password(
            self.accounts,
            proved,
            given.get("new_password", ""),
            origin,
            into_same(self.accounts, request, asking, origin),
            assurance=asking.assurance,
            methods=proof_from(asking).methods,
        )
        return anew(self.accounts, request, changed)

    async def _change_email(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        password = given.get("current_password")
        proved = await confirmed(self.accounts, asking, account, password, origin)
        await addresses_changed.ask_for_change(
            self.accounts, proved, given.get("email", ""), origin
        )
        told = "Follow the link that was sent to the new address."
        return self.pages.page(request, "done", heading="Look into your mail", told=told)

    async def _end_session(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        which = id_in(given)

        def ended(session: Any, now: Any) -> None:
            if end_session(session, which, account.id) is not None:
                data = {"session": str(which)}
                record(session, "session.revoked", now, origin, user_id=account.id, data=data)

        await self.accounts.changed(ended)
        return go(request, "/account")

    async def _end_others(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        again = same_again(self.accounts, request, asking, origin)
        given_again = await account_kept.end_others(self.accounts, account, asking, origin, again)
        return anew(self.accounts, request, given_again)

    async def _prove(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        establish = into_same(self.accounts, request, asking, origin)
        proof, old = proof_from(asking), UUID(str(asking.credential))
        if account.factors:
            code = given.get("code", "")
            stronger = await step_up.by_factor(
                self.accounts, account, code, proof, old, origin, establish
            )
        else:
            proved = await prove_again(self.accounts, account, given.get("password", ""), origin)
            stronger = await step_up.by_password(
                self.accounts, proved, proof, old, origin, establish
            )
        return anew(self.accounts, request, stronger)

    async def _offer_factor(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        offered = await factors_kept.offer_totp(self.accounts, account, "Authenticator app", origin)
        return await self._page(request, asking, account, offered=offered, about="confirm_factor")

    async def _confirm_factor(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        confirmed, begun = await factors_kept.confirm_totp(
            self.accounts,
            account,
            id_in(given),
            given.get("code", ""),
            proof_from(asking),
            origin,
            into_same(self.accounts, request, asking, origin),
        )
        return codes_shown(self.accounts, self.pages, request, confirmed.codes, begun)

    async def _remove_factor(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        weaker = proof_from(asking)
        weaker = type(weaker)(weaker.user_id, 1, weaker.methods[:1], weaker.at)
        establish = into_same(self.accounts, request, asking, origin)
        changed = await factors_kept.remove(
            self.accounts, account, id_in(given), weaker, origin, establish
        )
        return anew(self.accounts, request, changed)

    async def _prefer(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        size, language = given.get("text_size", ""), given.get("language")
        await prefer(self.accounts, account.id, size, language)
        return go(request, "/account")

    async def _forget_device(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await forget_device(self.accounts, account, id_in(given), origin)
        return go(request, "/account")

    async def _make_key(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        name = given.get("name", "").strip()[:120] or "Key"
        wanted = api_keys_kept.Wanted(name, None, None, None)
        made = await api_keys_kept.make(self.accounts, account.id, wanted, origin)
        return await self._page(request, asking, account, made=made.text)

    async def _revoke_key(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await api_keys_kept.revoke(self.accounts, account.id, id_in(given), origin)
        return go(request, "/account")

    async def _delete(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        password = given.get("current_password")
        proved = await confirmed(self.accounts, asking, account, password, origin)
        await account_kept.end_account(self.accounts, proved, origin)
        told = "Your account and everything in it is deleted."
        response = self.pages.page(request, "done", heading="Good-bye", told=told)
        drop_cookie(self.accounts, request, response)
        return response


def anew(accounts: Accounts, request: Request, given: object) -> Response:
    """To the account, with the session that replaces the one before."""
    response = go(request, "/account")
    if isinstance(given, Begun):
        set_session(accounts, request, response, given)
    return response
