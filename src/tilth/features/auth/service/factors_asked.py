"""A code → whether it proves a second factor: a step of an authenticator app, or a recovery code."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import BadCredential
from tilth.features.auth.models.factors import TOTP, factors_of, use_step
from tilth.features.auth.models.secrets import NewSecret, consume, issue, left, revoke
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.codes import code_digest, new_recovery_codes
from tilth.features.auth.service.mail_codes import METHOD, is_mailed_code
from tilth.features.auth.service.totp import matched_step

ONE_TIME = "otp"
RECOVERY = "recovery"
KEPT = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Factor:
    """The one that was proved. left: recovery codes after this one, None for another factor."""

    method: str
    left: int | None = None


def prove_factor(
    accounts: Accounts,
    session: Session,
    user_id: UUID,
    code: str,
    now: datetime,
    *,
    mailed_for: str | None = None,
) -> Factor | None:
    """Uses the code up. None for one that is wrong, or was used before.

    mailed_for: what a code by mail was asked for; None where none would prove anything.
    """
    for each in factors_of(session, user_id):
        if each["kind"] != TOTP:
            continue
        seed = seed_of(accounts, user_id, each["seed"], now)
        step = None if seed is None else matched_step(seed, code, now)
        if step is not None and use_step(session, each["id"], step, now):
            return Factor(ONE_TIME)
    if mailed_for and is_mailed_code(accounts, session, user_id, mailed_for, code, now):
        return Factor(METHOD)
    digest = recovery_digest(accounts, user_id, code)
    if consume(session, "recovery", digest, now, user_id=user_id) is None:
        return None
    return Factor(RECOVERY, left(session, user_id, "recovery", now))


def new_codes(accounts: Accounts, session: Session, user_id: UUID, now: datetime) -> list[str]:
    """Ten, to be shown once; those of before are worth nothing from then on."""
    revoke(session, user_id, ["recovery"])
    codes = new_recovery_codes()
    for code in codes:
        digest = recovery_digest(accounts, user_id, code)
        issue(session, NewSecret("recovery", digest, now + KEPT, user_id), now)
    return codes


def recovery_digest(accounts: Accounts, user_id: UUID, code: str) -> bytes:
    return code_digest(accounts.keys.codes, f"recovery of {user_id}", code)


def sealed_seed(accounts: Accounts, user_id: UUID, seed: bytes, now: datetime) -> bytes:
    return accounts.sealer.seal(f"totp of {user_id}", seed, now=now, lifetime=None).encode()


def seed_of(accounts: Accounts, user_id: UUID, sealed: bytes, now: datetime) -> bytes | None:
    """None when it was sealed with a key that the application does not have any more."""
    try:
        return accounts.sealer.open(f"totp of {user_id}", bytes(sealed).decode(), now=now).content
    except BadCredential:
        return None
