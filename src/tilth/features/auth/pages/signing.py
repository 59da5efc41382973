"""/sign-in, /sign-up, /reset, /mfa and the pages that links in mails lead to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tilth.errors import Invalid, ProblemError
from tilth.features.auth.pages.forms import HOME, form_of, next_of
from tilth.features.auth.pages.rendering import Pages, go
from tilth.features.auth.routes.answering import (
    device_of,
    into_session,
    remember_device,
    set_session,
)
from tilth.features.auth.routes.signing import end_asking, tell_of_recovery
from tilth.features.auth.routes.trusted import remember_trust, trusted_here, wanted_trust
from tilth.features.auth.service import (
    addresses_changed,
    magic,
    mail_codes,
    passwords_changed,
    sign_up,
)
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.browser import cookie_of, drop_cookie, set_cookie
from tilth.features.auth.service.origins import origin_of
from tilth.features.auth.service.passwords_asked import asked_from, prove_password
from tilth.features.auth.service.session_credentials import Begun
from tilth.features.auth.service.sign_in import Pending, SignedIn, complete, sign_in
from tilth.features.auth.service.trusted import trusting

FLOW_SUFFIX = "-flow"
SIGN_UP_SUFFIX = "-sign-up"
FLOW_LIFE = timedelta(minutes=magic.MINUTES)

Confirm = Callable[[str], Awaitable[Any]]


class SigningPages:
    def __init__(self, accounts: Accounts, pages: Pages) -> None:
        self.accounts, self.pages = accounts, pages

    async def sign_in(self, request: Request) -> Response:
        if request.method != "POST":
            return self.sign_in_page(request, given=dict(request.query_params))
        given = await form_of(request)
        origin = origin_of(request)
        device = device_of(self.accounts, request)
        name, password = given.get("identifier", ""), given.get("password", "")
        try:
            asked = asked_from(name, password, origin, device)
            proved = await prove_password(self.accounts, asked)
            establish = into_session(self.accounts, request, origin)
            trusted = trusted_here(self.accounts, request)
            found = await sign_in(self.accounts, proved, origin, establish, is_trusted=trusted)
        except ProblemError as problem:
            return self.sign_in_page(request, problem=problem, given=given)
        return self.signed(request, found, given)

    async def second_factor(self, request: Request) -> Response:
        if request.method != "POST":
            return go(request, "/sign-in")
        given = await form_of(request)
        origin = origin_of(request)
        flow, code = given.get("flow", ""), given.get("code", "")
        trust = wanted_trust(self.accounts, "trust" in given)
        try:
            if given.get("act") == "send":
                await mail_codes.send_for_sign_in(self.accounts, flow, origin)
                return self.second_page(request, given, is_sent=True)
            establish = into_session(self.accounts, request, origin)
            if trust is not None:
                establish = trusting(trust, origin, establish)
            found = await complete(self.accounts, flow, code, origin, establish)
        except ProblemError as problem:
            return self.second_page(request, given, problem=problem)
        tell_of_recovery(self.accounts, found, origin.address)
        response = self.signed(request, found, given)
        remember_trust(self.accounts, request, response, trust, found.factor)
        return response

    async def by_mail(self, request: Request) -> Response:
        """Asks for a link, takes its code, and is where the link leads to."""
        if request.method != "POST":
            token = request.query_params.get("token")
            return self.pages.page(request, "mail_link", token=token, is_sent=False)
        given = await form_of(request)
        if "identifier" in given:
            return await self._mail_asked(request, given)
        flow, code = cookie_of(self.accounts, request, FLOW_SUFFIX) or "", given.get("code", "")
        origin = origin_of(request)
        try:
            establish = into_session(self.accounts, request, origin)
            found = await magic.sign_in_by_mail(self.accounts, flow, code, origin, establish)
        except ProblemError as problem:
            return self.pages.page(
                request, "mail_link", problem=problem, token=None, is_sent=bool(flow)
            )
        response = self.signed(request, found, given)
        drop_cookie(self.accounts, request, response, suffix=FLOW_SUFFIX)
        return response

    async def _mail_asked(self, request: Request, given: Mapping[str, str]) -> Response:
        try:
            asked = await magic.ask_for_link(self.accounts, given["identifier"], origin_of(request))
        except ProblemError as problem:
            words: dict[str, Any] = {"token": None, "is_sent": False}
            return self.pages.page(request, "mail_link", problem=problem, given=given, **words)
        response = self.pages.page(request, "mail_link", token=None, is_sent=True)
        ends = self.accounts.now() + FLOW_LIFE
        set_cookie(self.accounts, request, response, asked.flow, ends, suffix=FLOW_SUFFIX)
        return response

    async def sign_out(self, request: Request) -> Response:
        return await end_asking(self.accounts, request, go(request, "/sign-in"))

    async def sign_up(self, request: Request) -> Response:
        if request.method != "POST":
            return self.pages.page(request, "sign_up", is_open=self.accounts.options.sign_up)
        given = await form_of(request)
        wish = sign_up.Wish(
            given.get("username") or None,
            given.get("email") or None,
            None,
            given.get("password", ""),
        )
        try:
            found = await sign_up.sign_up(self.accounts, wish, origin_of(request))
        except ProblemError as problem:
            return self.pages.page(request, "sign_up", problem=problem, given=given, is_open=True)
        if isinstance(found, sign_up.Waiting):
            told = "Open the link in the mail that was sent to you, and your account begins."
            response = self.pages.page(request, "done", heading="Look into your mail", told=told)
            ends = self.accounts.now() + sign_up.LINK_LIFE
            set_cookie(self.accounts, request, response, found.flow, ends, suffix=SIGN_UP_SUFFIX)
            return response
        told = "Your account is there. Sign in with it."
        return self.pages.page(request, "done", heading="Welcome", told=told)

    async def reset(self, request: Request) -> Response:
        """Without a token, asks whose password was forgotten; with one, for another password."""
        if request.method != "POST":
            token = request.query_params.get("token")
            return self.pages.page(request, "reset", token=token)
        given = await form_of(request)
        token, origin = given.get("token"), origin_of(request)
        try:
            if token is None:
                name = given.get("identifier", "")
                await passwords_changed.forget(self.accounts, name, origin)
            else:
                password = given.get("password", "")
                await passwords_changed.reset(self.accounts, token, password, origin)
        except ProblemError as problem:
            return self.pages.page(request, "reset", problem=problem, given=given, token=token)
        if token is None:
            told = "If there is such an account, a link was sent to its address."
            return self.pages.page(request, "done", heading="Look into your mail", told=told)
        told = "Sign in with your new password. Everything else was signed out."
        return self.pages.page(request, "done", heading="Your password is changed", told=told)

    async def confirm_account(self, request: Request) -> Response:
        """Opened in another browser than the account was asked for in, it asks for a password anew."""
        flow = cookie_of(self.accounts, request, SIGN_UP_SUFFIX)
        words: dict[str, Any] = {"heading": "Begin your account", "button": "Begin"}
        if request.method != "POST":
            token = request.query_params.get("token", "")
            return self.pages.page(
                request, "confirm", token=token, asks_password=flow is None, **words
            )
        given = await form_of(request)
        token, origin = given.get("token", ""), origin_of(request)
        try:
            await sign_up.confirm(
                self.accounts, token, origin, flow=flow, password=given.get("password")
            )
        except ProblemError as problem:
            asks = isinstance(problem, Invalid)
            return self.pages.page(
                request, "confirm", problem=problem, token=token, asks_password=asks, **words
            )
        told = "Your account is there. Sign in with it."
        response = self.pages.page(request, "done", heading="Welcome", told=told)
        drop_cookie(self.accounts, request, response, suffix=SIGN_UP_SUFFIX)
        return response

    async def confirm_address(self, request: Request) -> Response:
        origin = origin_of(request)
        words = ("Confirm your address", "Confirm", "Your address is confirmed.")
        return await self._confirm(
            request, lambda token: addresses_changed.verify(self.accounts, token, origin), *words
        )

    async def confirm_change(self, request: Request) -> Response:
        origin = origin_of(request)
        words = ("Use this address", "Use it", "This is your address from now on.")
        return await self._confirm(
            request,
            lambda token: addresses_changed.confirm_change(self.accounts, token, origin),
            *words,
        )

    async def _confirm(
        self, request: Request, confirm: Confirm, heading: str, button: str, told: str
    ) -> Response:
        """A link only shows a button: programs that look into mails follow links, too."""
        words: dict[str, Any] = {"heading": heading, "button": button, "asks_password": False}
        if request.method != "POST":
            token = request.query_params.get("token", "")
            return self.pages.page(request, "confirm", token=token, **words)
        given = await form_of(request)
        token = given.get("token", "")
        try:
            await confirm(token)
        except ProblemError as problem:
            return self.pages.page(request, "confirm", problem=problem, token=token, **words)
        return self.pages.page(request, "done", heading="Done", told=told)

    def sign_in_page(self, request: Request, **words: Any) -> Response:
        given = words["given"]
        return self.pages.page(
            request,
            "sign_in",
            next=next_of(given),
            has_sign_up=self.accounts.options.sign_up,
            **words,
        )

    def second_page(
        self, request: Request, given: Mapping[str, str], *, is_sent: bool = False, **words: Any
    ) -> Response:
        """factors: what may be proved, carried along by the form; it decides nothing."""
        life = self.accounts.options.trusted_devices
        return self.pages.page(
            request,
            "mfa",
            flow=given.get("flow", ""),
            next=next_of(given),
            factors=given.get("factors", "").split(),
            is_sent=is_sent,
            trust_days=0 if life is None else max(1, life.days),
            **words,
        )

    def signed(
        self, request: Request, found: SignedIn[Begun] | Pending, given: Mapping[str, str]
    ) -> Response:
        if isinstance(found, Pending):
            words = {**given, "flow": found.flow, "factors": " ".join(found.factors)}
            return self.second_page(request, words)
        response = go(request, next_of(given) if given.get("next") else HOME)
        set_session(self.accounts, request, response, found.result)
        remember_device(self.accounts, request, response, found.account.id)
        return response
