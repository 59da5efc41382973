"""Signing in by a mail: a link for the browser that asked for it, or a code to type there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tilth.errors import Unauthenticated
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.secrets import NewSecret, attempt, consume_known, issue, revoke
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import Account, account_by_id, account_by_names
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.codes import code_digest, new_mailed_code
from tilth.features.auth.service.credentials_changed import claimed
from tilth.features.auth.service.guard import (
    Admission,
    account_key,
    admit,
    admit_failure,
    blur,
    forgive_failure,
)
from tilth.features.auth.service.names import name_from
from tilth.features.auth.service.sign_in import (
    Establish,
    Pending,
    Result,
    SignedIn,
    established,
    pending,
)
from tilth.kit.ids import uuid7
from tilth.kit.secrets import is_same, new_token, token_digest

MINUTES = 10
ATTEMPTS = 5
LINK_PATH = "/sign-in/link"
MAILED = "mail"


@dataclass(frozen=True, slots=True)
class Asked:
    """flow: stays in the browser that asked; without it neither link nor code opens anything."""

    flow: str
    admission: Admission


async def ask_for_link(accounts: Accounts, name: str, origin: Origin) -> Asked:
    """The same answer whether or not there is such an account."""
    flow, token, code = new_token(), new_token(), new_mailed_code()
    read = name_from(name)

    def asked(session: Session, now: datetime) -> tuple[Admission, Account | None]:
        admission = admit(session, accounts.options.limits, origin, now, cost="magic link")
        account = account_by_names(session, [read] if read else [])
        if account is None or account.disabled_at or account.email is None:
            account = None
        revoke(session, account.id if account else uuid7(), ["magic_link"])
        if not admission.wait_seconds:
            issue(session, _secret(accounts, flow, token, code, account, now), now)
            record(
                session, "magic_link.asked", now, origin, user_id=account.id if account else None
            )
        return admission, account

    admission, account = await accounts.run(asked)
    admission.check()
    # Written for nobody as well: the time of the answer must not tell who exists.
    address = account.email if account else None
    link = accounts.letters.link(LINK_PATH, token)
    letter = accounts.letters.write(
        "magic_link", address or "", link=link, code=code, minutes=MINUTES
    )
    if address is not None:
        accounts.postman.post(letter)
    await blur()
    return Asked(flow, admission)


async def sign_in_by_mail(
    accounts: Accounts, flow: str, answer: str, origin: Origin, establish: Establish[Result]
) -> SignedIn[Result] | Pending:
    """answer: the token of the link, or the code. Raises Unauthenticated and TooManyRequests."""

    def signed(session: Session, now: datetime) -> SignedIn[Result] | Pending | Admission:
        admission = admit(session, accounts.options.limits, origin, now)
        secret = attempt(session, "magic_link", token_digest(flow), now)
        if secret is None or secret.user_id is None or admission.wait_seconds:
            return admission
        admission = admit_failure(session, admission, account_key("mail", str(secret.user_id)), now)
        account = account_by_id(session, secret.user_id, lock=True)
        is_right = _is_answer(accounts, flow, answer, secret.data)
        if account is None or account.disabled_at or admission.wait_seconds or not is_right:
            return admission
        if secret.bound_to != token_digest(account.email_key or ""):
            return admission
        if not consume_known(session, secret, now):
            return admission
        forgive_failure(session, admission)
        account = claimed(session, account, now, origin)
        proof = Proof(account.id, 1, (MAILED,), now)
        if account.factors:
            return pending(session, account, proof, now)
        return established(session, account, proof, now, origin, establish, admission)

    found = await accounts.changed(signed)
    if isinstance(found, Admission):
        found.check()
        raise Unauthenticated(
            "The link or the code is not good, or not any more. Ask for a new one.",
            code="invalid_code",
            headers=found.headers,
        )
    return found


def _secret(
    accounts: Accounts,
    flow: str,
    token: str,
    code: str,
    account: Account | None,
    now: datetime,
) -> NewSecret:
    answers = {
        "token": token_digest(token).hex(),
        "code": code_digest(accounts.keys.codes, f"magic link {flow}", code).hex(),
    }
    return NewSecret(
        "magic_link",
        token_digest(flow),
        now + timedelta(minutes=MINUTES),
        account.id if account else None,
        token_digest(account.email_key or "") if account else None,
        answers,
        ATTEMPTS,
    )


def _is_answer(accounts: Accounts, flow: str, answer: str, told: object) -> bool:
    assert isinstance(told, dict)
    by_code = code_digest(accounts.keys.codes, f"magic link {flow}", answer).hex()
    right_token = is_same(token_digest(answer).hex(), told["token"])
    return is_same(by_code, told["code"]) or right_token
