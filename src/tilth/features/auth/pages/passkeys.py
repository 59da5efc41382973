"""Passkeys on the pages: what the script has put into a form → the same as by JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from tilth.errors import Fault, ProblemError, invalid
from tilth.features.auth.models.audit import Origin
from tilth.features.auth.models.users import Account
from tilth.features.auth.pages.account import Act, anew
from tilth.features.auth.pages.codes import codes_shown
from tilth.features.auth.pages.forms import form_of, id_in
from tilth.features.auth.pages.rendering import Pages, go
from tilth.features.auth.pages.signing import SigningPages
from tilth.features.auth.routes.answering import (
    into_same,
    into_session,
    own,
    proof_from,
)
from tilth.features.auth.routes.passkey_bodies import NewCredential, UsedCredential
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.guard import Admission
from tilth.features.auth.service.origins import origin_of
from tilth.features.auth.service.passkeys import asked, kept
from tilth.kernel.policy.actor import Actor

NAME_CHARACTERS = 120


class PasskeyPages:
    """Signing in by a passkey, and the acts of an account that concern them."""

    def __init__(self, accounts: Accounts, pages: Pages, signing: SigningPages) -> None:
        self.accounts, self.pages, self.signing = accounts, pages, signing
        self.acts: Mapping[str, Act] = {
            "add_passkey": self._add,
            "rename_passkey": self._rename,
            "remove_passkey": self._remove,
            "prove_passkey": self._prove,
        }

    async def sign_in(self, request: Request) -> Response:
        given = await form_of(request)
        origin = origin_of(request)
        try:
            establish = into_session(self.accounts, request, origin)
            found = await asked.sign_in_by_passkey(
                self.accounts, given.get("flow", ""), _used(given), origin, establish
            )
        except ProblemError as problem:
            return self.signing.sign_in_page(request, problem=problem, given=given)
        return self.signing.signed(request, found, given)

    async def second_factor(self, request: Request) -> Response:
        given = await form_of(request)
        origin = origin_of(request)
        try:
            establish = into_session(self.accounts, request, origin)
            found = await asked.complete_by_passkey(
                self.accounts, given.get("flow", ""), _used(given), origin, establish
            )
        except ProblemError as problem:
            # Whoever has tried one has one.
            factors = " ".join(dict.fromkeys(["passkey", *given.get("factors", "").split()]))
            words = {**given, "factors": factors}
            return self.signing.second_page(request, words, problem=problem)
        return self.signing.signed(request, found, given)

    async def _add(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        made, begun = await kept.enrol(
            self.accounts,
            account,
            given.get("flow", ""),
            _made(given),
            _name(given),
            str(asking.credential),
            proof_from(asking),
            origin,
            into_same(self.accounts, request, asking, origin),
        )
        if not made.codes:
            return anew(self.accounts, request, begun)
        return codes_shown(self.accounts, self.pages, request, made.codes, begun)

    async def _rename(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await kept.rename(self.accounts, account, id_in(given), _name(given))
        return go(request, "/account")

    async def _remove(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        await own(self.accounts, request, fresh=True)
        establish = into_same(self.accounts, request, asking, origin)
        removed = await kept.remove(
            self.accounts, account, id_in(given), proof_from(asking), origin, establish
        )
        return anew(self.accounts, request, removed)

    async def _prove(
        self, request: Request, asking: Actor, account: Account, origin: Origin, given: Any
    ) -> Response:
        stronger = await asked.step_up_by_passkey(
            self.accounts,
            account,
            given.get("flow", ""),
            _used(given),
            proof_from(asking),
            UUID(str(asking.credential)),
            origin,
            into_same(self.accounts, request, asking, origin),
        )
        return anew(self.accounts, request, stronger)


def _name(given: Mapping[str, str]) -> str:
    return given.get("name", "").strip()[:NAME_CHARACTERS] or "Passkey"


def _made(given: Mapping[str, str]) -> Mapping[str, Any]:
    """Raises Invalid."""
    try:
        return NewCredential.model_validate_json(given.get("credential", "")).model_dump()
    except ValidationError as exc:
        raise invalid([Fault("/credential", "passkey_refused", "No passkey was made.")]) from exc


def _used(given: Mapping[str, str]) -> Mapping[str, Any]:
    """Raises Unauthenticated."""
    try:
        return UsedCredential.model_validate_json(given.get("credential", "")).model_dump()
    except ValidationError as exc:
        raise asked.refused(Admission()) from exc
