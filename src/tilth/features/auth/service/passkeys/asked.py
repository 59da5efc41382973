"""A passkey → a sign-in by it alone, as a second factor, or a stronger session.

A passkey cannot be guessed, so a failure counts against where it comes from and never against the
account: strangers do not keep an owner out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import BadCredential, Unauthenticated
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.passkeys import (
    Passkey,
    passkey_by_credential,
    passkeys_of,
    use_count,
)
from tilth.features.auth.models.secrets import consume_known, forget, waiting
from tilth.features.auth.models.sessions import Proof, end_session
from tilth.features.auth.models.users import Account, account_by_id
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.credentials_changed import tell
from tilth.features.auth.service.guard import Admission, admit
from tilth.features.auth.service.passkeys.ceremony import Ceremonies, credential_id_of
from tilth.features.auth.service.passkeys.challenges import (
    Asked,
    Challenge,
    new_challenge,
    used_challenge,
)
from tilth.features.auth.service.session_credentials import refreshed
from tilth.features.auth.service.sign_in import (
    Establish,
    Result,
    SignedIn,
    established,
    first_proof,
    still_the_same,
)
from tilth.kit.secrets import new_token, token_digest

POSSESSION = "pop"
"""RFC 8176's word for a key that was proved to be there."""

Given = Mapping[str, Any]
"""A PublicKeyCredential as WebAuthn writes it in JSON."""


@dataclass(frozen=True, slots=True)
class Refused:
    """copied: whose passkey seems to be there twice."""

    admission: Admission
    copied: Account | None = None


def ceremonies(accounts: Accounts) -> Ceremonies:
    assert accounts.passkeys is not None, "Their routes are there only with Auth(passkeys=True)."
    return accounts.passkeys


async def ask_to_sign_in(accounts: Accounts, origin: Origin) -> tuple[Asked, Admission]:
    """Names nobody: the authenticator knows which passkeys it has. Raises TooManyRequests."""
    flow = new_token()

    def asked(session: Session, now: datetime) -> tuple[bytes, Admission]:
        admission = admit(session, accounts.options.limits, origin, now, cost="passkey")
        if admission.wait_seconds:
            return b"", admission
        return new_challenge(session, "passkey_sign_in", flow, now), admission

    challenge, admission = await accounts.run(asked)
    admission.check()
    return Asked(flow, ceremonies(accounts).request(challenge)), admission


async def sign_in_by_passkey(
    accounts: Accounts, flow: str, given: Given, origin: Origin, establish: Establish[Result]
) -> SignedIn[Result]:
    """Who has the authenticator and is known to it has proved two factors. Raises Unauthenticated,
    whatever was wrong, and TooManyRequests.
    """

    def signed(session: Session, now: datetime) -> SignedIn[Result] | Refused:
        admission = admit(session, accounts.options.limits, origin, now)
        challenge = used_challenge(session, "passkey_sign_in", flow, now)
        if challenge is None or admission.wait_seconds:
            return Refused(admission)
        found = _proved(accounts, session, challenge, given, now, origin, admission)
        if isinstance(found, Refused):
            return found
        proof = Proof(found.id, 2, (POSSESSION,), now)
        return established(session, found, proof, now, origin, establish, admission)

    return await _settled(accounts, signed, origin)


async def ask_for_factor(accounts: Accounts, flow: str, origin: Origin) -> Asked:
    """flow: of a sign-in that waits for a second factor. Raises Unauthenticated."""

    def asked(session: Session, now: datetime) -> tuple[bytes, list[Passkey]] | Admission:
        admission = admit(session, accounts.options.limits, origin, now)
        begun = waiting(session, "sign_in", token_digest(flow), now)
        if begun is None or admission.wait_seconds:
            return admission
        account = still_the_same(session, begun)
        if account is None or not account.passkeys:
            return admission
        # One challenge at a time for each sign-in.
        forget(session, "passkey_factor", token_digest(flow))
        challenge = new_challenge(session, "passkey_factor", flow, now, user_id=account.id)
        return challenge, list(passkeys_of(session, account.id))

    found = await accounts.run(asked)
    if isinstance(found, Admission):
        found.check()
        raise refused(found)
    return Asked(flow, ceremonies(accounts).request(*found))


async def complete_by_passkey(
    accounts: Accounts, flow: str, given: Given, origin: Origin, establish: Establish[Result]
) -> SignedIn[Result]:
    """The second step. Raises Unauthenticated and TooManyRequests."""

    def completed(session: Session, now: datetime) -> SignedIn[Result] | Refused:
        admission = admit(session, accounts.options.limits, origin, now)
        begun = waiting(session, "sign_in", token_digest(flow), now)
        if begun is None or admission.wait_seconds:
            return Refused(admission)
        account = still_the_same(session, begun)
        challenge = used_challenge(session, "passkey_factor", flow, now, user_id=begun.user_id)
        if account is None or challenge is None:
            return Refused(admission)
        found = _proved(accounts, session, challenge, given, now, origin, admission)
        if isinstance(found, Refused):
            return found
        if not consume_known(session, begun, now):
            return Refused(admission)
        proof = first_proof(account.id, begun.data)
        proof = refreshed(proof, assurance=2, methods=[POSSESSION], at=now)
        return established(session, account, proof, now, origin, establish, admission)

    return await _settled(accounts, completed, origin)


async def ask_to_step_up(accounts: Accounts, account: Account, credential: str) -> Asked:
    """credential: the session that asks. Raises Unauthenticated for an account without a passkey."""
    flow = new_token()

    def asked(session: Session, now: datetime) -> tuple[bytes, list[Passkey]]:
        known = list(passkeys_of(session, account.id))
        challenge = new_challenge(
            session, "passkey_step_up", flow, now, user_id=account.id, credential=credential
        )
        return challenge, known

    challenge, known = await accounts.run(asked)
    if not known:
        raise refused(Admission())
    return Asked(flow, ceremonies(accounts).request(challenge, known))


async def step_up_by_passkey(
    accounts: Accounts,
    account: Account,
    flow: str,
    given: Given,
    proof: Proof,
    old: UUID,
    origin: Origin,
    establish: Establish[Result],
) -> Result:
    """old: the session that asked, and that becomes another. Raises Unauthenticated, TooManyRequests."""

    def stepped(session: Session, now: datetime) -> tuple[Result] | Refused:
        admission = admit(session, accounts.options.limits, origin, now)
        challenge = used_challenge(
            session, "passkey_step_up", flow, now, user_id=account.id, credential=str(old)
        )
        if challenge is None or admission.wait_seconds:
            return Refused(admission)
        found = _proved(accounts, session, challenge, given, now, origin, admission)
        if isinstance(found, Refused):
            return found
        end_session(session, old, account.id)
        record(session, "step_up", now, origin, user_id=account.id)
        stronger = refreshed(proof, assurance=2, methods=[POSSESSION], at=now)
        return (establish(session, stronger, found, now),)

    return (await _settled(accounts, stepped, origin))[0]


def refused(admission: Admission) -> Unauthenticated:
    return Unauthenticated(
        "The passkey was not accepted. Begin again, with another passkey or in another way.",
        code="invalid_passkey",
        headers=admission.headers,
    )


def _proved(
    accounts: Accounts,
    session: Session,
    challenge: Challenge,
    given: Given,
    now: datetime,
    origin: Origin,
    admission: Admission,
) -> Account | Refused:
    """Whose passkey it is, locked. The challenge names an account unless the passkey is to do that."""
    is_alone = challenge.user_id is None
    kept = _kept(session, given)
    if kept is None or challenge.user_id not in (None, kept.user_id):
        return Refused(admission)
    account = account_by_id(session, kept.user_id, lock=True)
    if account is None or account.disabled_at:
        return Refused(admission)
    told: dict[str, Any] = {"passkey": str(kept.id)}
    try:
        signed = ceremonies(accounts).asserted(challenge.value, kept, given, is_alone=is_alone)
        if is_alone and not kept.opens_alone:
            raise BadCredential("only_second", "It was made before the address was proved.")
    except BadCredential as exc:
        told |= {"reason": exc.reason, "detail": str(exc)}
        record(session, "passkey.failed", now, origin, user_id=account.id, data=told)
        return Refused(admission)
    if not use_count(session, kept.id, signed.count, now, is_backed_up=signed.is_backed_up):
        told |= {"count": signed.count}
        record(session, "passkey.copied", now, origin, user_id=account.id, data=told)
        return Refused(admission, account)
    return account


def _kept(session: Session, given: Given) -> Passkey | None:
    try:
        return passkey_by_credential(session, credential_id_of(given))
    except BadCredential:
        return None


async def _settled(
    accounts: Accounts, work: Callable[[Session, datetime], Result | Refused], origin: Origin
) -> Result:
    found = await accounts.changed(work)
    if not isinstance(found, Refused):
        return found
    if found.copied is not None:
        tell(accounts, "passkey_copied", found.copied, accounts.now(), origin.address)
    found.admission.check()
    raise refused(found.admission)
