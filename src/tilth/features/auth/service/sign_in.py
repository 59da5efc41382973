"""Proofs → a session or tokens. Where a second factor is set up, one proof alone opens nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import Unauthenticated
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.factors import MAIL, factors_of
from tilth.features.auth.models.secrets import NewSecret, Secret, attempt, consume_known, issue
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import Account, account_by_id
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.factors_asked import Factor, prove_factor
from tilth.features.auth.service.guard import (
    Admission,
    account_key,
    admit,
    admit_failure,
    forgive_failure,
)
from tilth.features.auth.service.mail_codes import METHOD, sign_in_purpose
from tilth.features.auth.service.passwords_asked import Proved, settle
from tilth.features.auth.service.session_credentials import refreshed
from tilth.kit.secrets import new_token, token_digest

FLOW_LIFE = timedelta(minutes=10)
FLOW_ATTEMPTS = 5

Result = TypeVar("Result")
Establish = Callable[[Session, Proof, Account, datetime], Result]
"""What is done for somebody who has proved enough, in the unit that found so."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Something is still to be proved. flow: stands for what was, to be sent with the code."""

    flow: str
    factors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedIn(Generic[Result]):
    """What was established, for whom, and what is to be said of limits."""

    result: Result
    account: Account
    admission: Admission
    factor: Factor | None = None


async def sign_in(
    accounts: Accounts,
    proved: Proved,
    origin: Origin,
    establish: Establish[Result],
    *,
    is_trusted: Callable[[Session, Account, datetime], bool] | None = None,
) -> SignedIn[Result] | Pending:
    """After a password. Raises Unauthenticated when the account has changed meanwhile.

    is_trusted: whether to leave the second factor out; what is established counts as one factor.
    """

    def signed(session: Session, now: datetime) -> SignedIn[Result] | Pending:
        settle(session, proved)
        account = proved.account
        if account.factors and not (is_trusted and is_trusted(session, account, now)):
            return pending(session, proved.account, proved.proof, now)
        return established(
            session, proved.account, proved.proof, now, origin, establish, proved.admission
        )

    return await accounts.run(signed)


async def complete(
    accounts: Accounts, flow: str, code: str, origin: Origin, establish: Establish[Result]
) -> SignedIn[Result]:
    """The second step. Raises Unauthenticated, whatever was wrong, and TooManyRequests."""

    def completed(session: Session, now: datetime) -> SignedIn[Result] | Admission:
        admission = admit(session, accounts.options.limits, origin, now)
        secret = attempt(session, "sign_in", token_digest(flow), now)
        if secret is None or secret.user_id is None or admission.wait_seconds:
            return admission
        key = account_key("factor", str(secret.user_id))
        admission = admit_failure(session, admission, key, now)
        account = still_the_same(session, secret)
        if account is None or admission.wait_seconds:
            return admission
        # Who signed in by a mail would prove the same again by another.
        by_mail = METHOD not in secret.data["methods"]
        mailed_for = sign_in_purpose(flow) if by_mail else None
        factor = prove_factor(accounts, session, account.id, code, now, mailed_for=mailed_for)
        if factor is None or not consume_known(session, secret, now):
            record(session, "factor.failed", now, origin, user_id=account.id)
            return admission
        forgive_failure(session, admission)
        proof = first_proof(account.id, secret.data)
        proof = refreshed(proof, assurance=2, methods=[factor.method], at=now)
        return established(session, account, proof, now, origin, establish, admission, factor)

    found = await accounts.run(completed)
    if isinstance(found, Admission):
        found.check()
        raise Unauthenticated(
            "The code is wrong, or was used before. After a few attempts, begin again.",
            code="invalid_code",
            headers=found.headers,
        )
    return found


def pending(session: Session, account: Account, proof: Proof, now: datetime) -> Pending:
    flow = new_token()
    told = {"methods": list(proof.methods), "at": proof.at.isoformat(), "epoch": account.epoch}
    new = NewSecret(
        "sign_in",
        token_digest(flow),
        now + FLOW_LIFE,
        account.id,
        data=told,
        attempts=FLOW_ATTEMPTS,
    )
    issue(session, new, now)
    return Pending(flow, _factors_to_prove(session, account, proof))


def established(
    session: Session,
    account: Account,
    proof: Proof,
    now: datetime,
    origin: Origin,
    establish: Establish[Result],
    admission: Admission,
    factor: Factor | None = None,
) -> SignedIn[Result]:
    result = establish(session, proof, account, now)
    record(
        session,
        "sign_in",
        now,
        origin,
        user_id=account.id,
        data={"methods": list(proof.methods), "assurance": proof.assurance},
    )
    return SignedIn(result, account, admission, factor)


def still_the_same(session: Session, secret: Secret) -> Account | None:
    """Whose sign-in waits, locked; None when the account has changed since the first proof."""
    assert secret.user_id is not None
    account = account_by_id(session, secret.user_id, lock=True)
    if account is None or account.disabled_at or account.epoch != secret.data["epoch"]:
        return None
    return account


def _factors_to_prove(session: Session, account: Account, proof: Proof) -> tuple[str, ...]:
    kinds = dict.fromkeys(["passkey"] if account.passkeys else [])
    kinds |= dict.fromkeys(each["kind"] for each in factors_of(session, account.id))
    if METHOD in proof.methods:
        kinds.pop(MAIL, None)
    return (*kinds, "recovery_code")


def first_proof(user_id: UUID, told: Mapping[str, Any]) -> Proof:
    """What a sign-in that waits rests on so far."""
    methods: Sequence[str] = told["methods"]
    return Proof(user_id, 1, tuple(methods), datetime.fromisoformat(told["at"]))
