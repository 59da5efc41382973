"""The passkeys of an account: added, named and removed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tilth.errors import BadCredential, Conflict, Fault, Invalid, NotFound, ProblemError, invalid
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.passkeys import (
    MOST_PASSKEYS,
    NewPasskey,
    new_passkey,
    passkey_by_credential,
    passkeys_of,
    remove_passkey,
    rename_passkey,
)
from tilth.features.auth.models.secrets import revoke
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import Account, account_by_id
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.credentials_changed import end_everything, tell
from tilth.features.auth.service.factors_asked import new_codes
from tilth.features.auth.service.passkeys.asked import POSSESSION, Given, ceremonies
from tilth.features.auth.service.passkeys.challenges import Asked, new_challenge, used_challenge
from tilth.features.auth.service.session_credentials import refreshed
from tilth.features.auth.service.sign_in import Establish, Result
from tilth.kit.secrets import new_bytes, new_token

HANDLE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Enrolled:
    """codes: recovery codes, shown this once; none where a second factor was set up before."""

    id: UUID
    codes: tuple[str, ...]


async def ask_to_enrol(accounts: Accounts, account: Account, credential: str) -> Asked:
    """credential: the session or token that asks. Raises Conflict when there are too many."""
    flow, fresh = new_token(), new_bytes(HANDLE_BYTES)

    def asked(session: Session, now: datetime) -> Asked:
        known = passkeys_of(session, account.id)
        if len(known) >= MOST_PASSKEYS:
            raise _too_many()
        handle = known[0].user_handle if known else fresh
        challenge = new_challenge(
            session,
            "passkey_enrol",
            flow,
            now,
            user_id=account.id,
            credential=credential,
            handle=handle,
        )
        creation = ceremonies(accounts).creation(challenge, handle, account.label, known)
        return Asked(flow, creation)

    return await accounts.run(asked)


async def enrol(
    accounts: Accounts,
    account: Account,
    flow: str,
    given: Given,
    name: str,
    credential: str,
    proof: Proof,
    origin: Origin,
    establish: Establish[Result],
) -> tuple[Enrolled, Result]:
    """Everything else of theirs ends: what was begun with less must not go on. Raises Invalid."""

    def enrolled(session: Session, now: datetime) -> tuple[Enrolled, Result] | ProblemError:
        challenge = used_challenge(
            session, "passkey_enrol", flow, now, user_id=account.id, credential=credential
        )
        current = account_by_id(session, account.id, lock=True)
        if challenge is None or current is None or current.disabled_at:
            return _refused("What was asked for was used or has expired. Begin again.")
        if current.passkeys >= MOST_PASSKEYS:
            return _too_many()
        try:
            new = ceremonies(accounts).enrolled(challenge.value, challenge.handle, given)
        except BadCredential as exc:
            return _refused(str(exc))
        if passkey_by_credential(session, new.credential_id) is not None:
            return _known()
        made = _made(session, account.id, name, new, now)
        codes = () if current.factors else tuple(new_codes(accounts, session, account.id, now))
        end_everything(session, account.id)
        record(session, "factor.added", now, origin, user_id=account.id, data={"kind": "passkey"})
        proved = refreshed(proof, assurance=2, methods=[POSSESSION], at=now)
        return Enrolled(made, codes), _anew(session, proved, now, establish)

    found = await accounts.changed(enrolled)
    if isinstance(found, ProblemError):
        raise found
    factor = f"The passkey {name}"
    tell(accounts, "factor_added", account, accounts.now(), origin.address, factor=factor)
    return found


async def rename(accounts: Accounts, account: Account, passkey_id: UUID, name: str) -> None:
    """Raises NotFound, also for somebody else's."""

    def renamed(session: Session, now: datetime) -> bool:
        return rename_passkey(session, passkey_id, account.id, name)

    if not await accounts.run(renamed):
        raise _not_there()


async def remove(
    accounts: Accounts,
    account: Account,
    passkey_id: UUID,
    proof: Proof,
    origin: Origin,
    establish: Establish[Result],
) -> Result:
    """With the last factor, recovery codes go too, and the session rests on one factor again.

    Raises NotFound, also for somebody else's, and Conflict for the only way into the account.
    """

    def removed(session: Session, now: datetime) -> tuple[str, Result]:
        account_by_id(session, account.id, lock=True)
        name = remove_passkey(session, passkey_id, account.id)
        current = account_by_id(session, account.id)
        if name is None or current is None:
            raise _not_there()
        if not _has_way_in(session, current):
            # With the transaction, the passkey is as it was.
            raise Conflict(
                "This is the only way into the account. Set a password or confirm an e-mail address "
                "first.",
                code="last_way_in",
            )
        if not current.factors:
            revoke(session, account.id, ["recovery"])
        end_everything(session, account.id)
        record(session, "factor.removed", now, origin, user_id=account.id, data={"kind": "passkey"})
        kept = proof if current.factors else replace(proof, assurance=1, methods=proof.methods[:1])
        return name, _anew(session, kept, now, establish)

    name, result = await accounts.changed(removed)
    factor = f"The passkey {name}"
    tell(accounts, "factor_removed", account, accounts.now(), origin.address, factor=factor)
    return result


def _made(session: Session, user_id: UUID, name: str, new: NewPasskey, now: datetime) -> UUID:
    """Raises Invalid for a passkey that is known already."""
    try:
        return new_passkey(session, user_id, name, new, now)
    except IntegrityError as exc:
        # Somebody else came first, in this very moment.
        raise _known() from exc


def _anew(session: Session, proof: Proof, now: datetime, establish: Establish[Result]) -> Result:
    current = account_by_id(session, proof.user_id)
    assert current is not None
    return establish(session, proof, current, now)


def _has_way_in(session: Session, account: Account) -> bool:
    """Another than the passkey that was just removed."""
    is_mailed = account.email is not None and account.email_verified_at is not None
    return (
        account.hash is not None
        or is_mailed
        or any(each.opens_alone for each in passkeys_of(session, account.id))
    )


def _too_many() -> Conflict:
    detail = f"An account has {MOST_PASSKEYS} passkeys at most. Remove one first."
    return Conflict(detail, code="too_many_passkeys")


def _known() -> Invalid:
    """Of whomever: two accounts with one passkey would leave its owner in doubt."""
    return invalid([Fault("/credential", "passkey_known", "This passkey is known already.")])


def _refused(detail: str) -> Invalid:
    return invalid([Fault("/credential", "passkey_refused", detail)])


def _not_there() -> NotFound:
    return NotFound("There is no such passkey.")
