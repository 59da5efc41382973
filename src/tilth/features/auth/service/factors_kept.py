"""Second factors of an account: set up, confirmed by a code, and removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import Fault, NotFound, invalid
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.factors import (
    MAIL,
    TOTP,
    confirm_factor,
    factors_of,
    new_factor,
    remove_factor,
)
from tilth.features.auth.models.secrets import revoke
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import Account, account_by_id
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.credentials_changed import end_everything, tell
from tilth.features.auth.service.factors_asked import (
    ONE_TIME,
    new_codes,
    sealed_seed,
    seed_of,
)
from tilth.features.auth.service.guard import (
    Admission,
    account_key,
    admit,
    admit_failure,
    forgive_failure,
)
from tilth.features.auth.service.mail_codes import ENROLMENT, METHOD, is_mailed_code
from tilth.features.auth.service.sign_in import Establish, Result
from tilth.features.auth.service.totp import (
    matched_step,
    new_totp_secret,
    totp_secret_text,
    totp_uri,
)

NAMES = MappingProxyType({TOTP: "An authenticator app", MAIL: "Sending codes by mail"})


@dataclass(frozen=True, slots=True)
class Offered:
    """A factor that is to be confirmed. secret, uri: for the app, shown this once."""

    id: UUID
    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """codes: recovery codes, shown this once."""

    codes: tuple[str, ...]


async def offer_totp(accounts: Accounts, account: Account, name: str, origin: Origin) -> Offered:
    seed = new_totp_secret()

    def offered(session: Session, now: datetime) -> UUID:
        sealed = sealed_seed(accounts, account.id, seed, now)
        return new_factor(session, account.id, TOTP, name, sealed, now)

    made = await accounts.run(offered)
    uri = totp_uri(seed, account=account.label, issuer=accounts.backend.title)
    return Offered(made, totp_secret_text(seed), uri)


async def confirm_totp(
    accounts: Accounts,
    account: Account,
    factor_id: UUID,
    code: str,
    proof: Proof,
    origin: Origin,
    establish: Establish[Result],
) -> tuple[Confirmed, Result]:
    """By a code that the app shows now. Raises Invalid for a wrong one, and TooManyRequests."""

    def matched(session: Session, factor: Mapping[str, Any], now: datetime) -> int | None:
        seed = seed_of(accounts, account.id, factor["seed"], now)
        return None if seed is None else matched_step(seed, code, now)

    kept = _Wanted(factor_id, TOTP, ONE_TIME, "This is not the code that the app shows now.")
    return await _confirm(accounts, account, kept, matched, proof, origin, establish)


async def confirm_mail(
    accounts: Accounts,
    account: Account,
    factor_id: UUID,
    code: str,
    proof: Proof,
    origin: Origin,
    establish: Establish[Result],
) -> tuple[Confirmed, Result]:
    """By the code that was sent. Raises Invalid for a wrong one, and TooManyRequests."""

    def matched(session: Session, factor: Mapping[str, Any], now: datetime) -> int | None:
        is_right = is_mailed_code(accounts, session, account.id, ENROLMENT, code, now)
        return 1 if is_right else None

    kept = _Wanted(factor_id, MAIL, METHOD, "This is not the code that was sent to you.")
    return await _confirm(accounts, account, kept, matched, proof, origin, establish)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The factor to confirm. method: what a proof by it is called. wrong: said of a wrong code."""

    id: UUID
    kind: str
    method: str
    wrong: str


async def _confirm(
    accounts: Accounts,
    account: Account,
    wanted: _Wanted,
    matched: Callable[[Session, Mapping[str, Any], datetime], int | None],
    proof: Proof,
    origin: Origin,
    establish: Establish[Result],
) -> tuple[Confirmed, Result]:
    """Everything else of theirs ends: what was begun with less must not go on.

    matched: the step that the code stands for, None for a wrong one.
    """

    def confirmed(session: Session, now: datetime) -> tuple[Confirmed, Result] | Admission:
        admission = admit(session, accounts.options.limits, origin, now)
        key = account_key("factor", str(account.id))
        admission = admit_failure(session, admission, key, now)
        offered = factors_of(session, account.id, confirmed=False)
        found = [f for f in offered if f["id"] == wanted.id and f["kind"] == wanted.kind]
        if admission.wait_seconds or not found:
            return admission
        step = matched(session, found[0], now)
        if step is None or not confirm_factor(session, wanted.id, step, now):
            return admission
        forgive_failure(session, admission)
        codes = new_codes(accounts, session, account.id, now)
        end_everything(session, account.id)
        data = {"kind": wanted.kind}
        record(session, "factor.added", now, origin, user_id=account.id, data=data)
        current = account_by_id(session, account.id)
        assert current is not None
        methods = tuple(dict.fromkeys([*proof.methods, wanted.method]))
        proved = Proof(account.id, 2, methods, now)
        return Confirmed(tuple(codes)), establish(session, proved, current, now)

    found = await accounts.changed(confirmed)
    if isinstance(found, Admission):
        found.check()
        raise invalid([Fault("/code", "wrong_code", wanted.wrong)])
    told = NAMES[wanted.kind]
    tell(accounts, "factor_added", account, accounts.now(), origin.address, factor=told)
    return found


async def remove(
    accounts: Accounts,
    account: Account,
    factor_id: UUID,
    proof: Proof,
    origin: Origin,
    establish: Establish[Result],
) -> Result:
    """With the last one, recovery codes go too. Raises NotFound, also for somebody else's."""

    def removed(session: Session, now: datetime) -> tuple[str, Result] | None:
        offered = factors_of(session, account.id, confirmed=False)
        kinds = {each["id"]: each["kind"] for each in offered}
        if not remove_factor(session, factor_id, account.id):
            return None
        current = account_by_id(session, account.id)
        assert current is not None
        if not current.factors:
            revoke(session, account.id, ["recovery"])
        end_everything(session, account.id)
        kind = kinds.get(factor_id, "")
        record(session, "factor.removed", now, origin, user_id=account.id, data={"kind": kind})
        current = account_by_id(session, account.id)
        assert current is not None
        return NAMES.get(kind, "A second factor"), establish(session, proof, current, now)

    found = await accounts.changed(removed)
    if found is None:
        raise NotFound("There is no such factor.")
    told, result = found
    tell(accounts, "factor_removed", account, accounts.now(), origin.address, factor=told)
    return result


async def renew_codes(accounts: Accounts, account: Account, origin: Origin) -> Confirmed:
    """Raises NotFound for an account without a second factor, which has no use for them."""

    def renewed(session: Session, now: datetime) -> Confirmed | None:
        current = account_by_id(session, account.id)
        if current is None or not current.factors:
            return None
        codes = new_codes(accounts, session, account.id, now)
        record(session, "recovery_codes.made", now, origin, user_id=account.id)
        return Confirmed(tuple(codes))

    found = await accounts.run(renewed)
    if found is None:
        raise NotFound("Recovery codes come with a second factor, and there is none.")
    return found
