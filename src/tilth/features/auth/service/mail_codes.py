"""Codes by mail as a second factor: sent to the confirmed address, for the one thing they were asked for.

A code belongs to the sign-in or the session that asked for it. It proves nothing beside a mail: who signed in
by one has to prove something else. Against a stolen password it helps, against a stolen mailbox it does not.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.counters import Rate, counter_key, take
from tilth.features.auth.models.factors import MAIL, factors_of, new_factor
from tilth.features.auth.models.secrets import NewSecret, consume, issue, usable
from tilth.features.auth.models.users import Account, account_by_id
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.codes import code_digest, new_mailed_code
from tilth.features.auth.service.guard import Admission, admit, milliseconds, rate_headers
from tilth.kit.secrets import token_digest

MINUTES = 10
SENT = Rate("codes by mail", 5, 15 * 60)
"""To one account: a mailbox is not flooded, whoever asks."""

ENROLMENT = "enrolment"
METHOD = "mail"


def sign_in_purpose(flow: str) -> str:
    return f"sign-in {token_digest(flow).hex()}"


def session_purpose(session_id: UUID | str) -> str:
    return f"session {session_id}"


async def send_for_sign_in(accounts: Accounts, flow: str, origin: Origin) -> Admission:
    """To whoever has proved something else. Raises Unauthenticated for a flow that is over, NotFound
    where no codes are sent, and TooManyRequests.
    """

    def whose(session: Session, now: datetime) -> UUID | None:
        secret = usable(session, "sign_in", token_digest(flow), now)
        if secret is None or secret.user_id is None:
            return None
        account = account_by_id(session, secret.user_id)
        if account is None or account.disabled_at or account.epoch != secret.data["epoch"]:
            return None
        if METHOD in secret.data["methods"]:
            raise NotFound("After a mail, another factor has to be proved.")
        return account.id

    user_id = await accounts.run(whose)
    if user_id is None:
        raise Unauthenticated("This sign-in is over. Begin again.", code="invalid_code")
    return await _send(accounts, user_id, sign_in_purpose(flow), origin)


async def send_for_session(
    accounts: Accounts, account: Account, session_id: UUID | str, origin: Origin
) -> Admission:
    """To step up. Raises NotFound where no codes are sent, and TooManyRequests."""
    return await _send(accounts, account.id, session_purpose(session_id), origin)


async def offer(accounts: Accounts, account: Account, origin: Origin) -> UUID:
    """A factor that counts once it is confirmed by the code that is sent.

    Raises Forbidden where codes by mail are not turned on, BadRequest without a confirmed address or
    when they are set up already, and TooManyRequests.
    """
    if not accounts.options.mail_codes:
        raise Forbidden("Codes by mail are not turned on here.", code="mail_codes_off")
    if account.email_verified_at is None:
        raise BadRequest("Confirm your e-mail address first.", code="no_confirmed_address")

    def offered(session: Session, now: datetime) -> UUID | None:
        if _is_set_up(session, account.id):
            return None
        return new_factor(session, account.id, MAIL, "Codes by mail", b"", now)

    made = await accounts.run(offered)
    if made is None:
        raise BadRequest("Codes by mail are set up already.", code="factor_exists")
    await _send(accounts, account.id, ENROLMENT, origin)
    return made


def is_mailed_code(
    accounts: Accounts, session: Session, user_id: UUID, purpose: str, code: str, now: datetime
) -> bool:
    """Uses the code up: of any number that arrive at once, one is let through."""
    if not accounts.options.mail_codes:
        return False
    digest = _digest(accounts, user_id, purpose, code)
    return consume(session, "mail_code", digest, now, user_id=user_id) is not None


async def _send(accounts: Accounts, user_id: UUID, purpose: str, origin: Origin) -> Admission:
    code = new_mailed_code()

    def sent(session: Session, now: datetime) -> tuple[Admission, Account | None]:
        admission = _admitted(session, accounts, user_id, origin, now)
        account = account_by_id(session, user_id)
        is_wanted = purpose == ENROLMENT or _is_set_up(session, user_id)
        if admission.wait_seconds or account is None or not is_wanted:
            return admission, None
        if account.email is None or account.email_verified_at is None:
            return admission, None
        digest = _digest(accounts, user_id, purpose, code)
        ends = now + timedelta(minutes=MINUTES)
        bound = token_digest(account.email_key or "")
        issue(session, NewSecret("mail_code", digest, ends, user_id, bound), now)
        record(session, "mail_code.sent", now, origin, user_id=user_id)
        return admission, account

    admission, account = await accounts.run(sent)
    admission.check()
    if account is None or account.email is None or not accounts.options.mail_codes:
        raise NotFound("No codes are sent by mail to this account.")
    letter = accounts.letters.write("mail_code", account.email, code=code, minutes=MINUTES)
    accounts.postman.post(letter)
    return admission


def _admitted(
    session: Session, accounts: Accounts, user_id: UUID, origin: Origin, now: datetime
) -> Admission:
    admission = admit(session, accounts.options.limits, origin, now, cost="codes by mail")
    if admission.wait_seconds:
        return admission
    key = counter_key("codes by mail", str(user_id))
    reading = take(session, key, SENT, milliseconds(now))
    if reading.is_allowed:
        return admission
    return Admission((reading,), reading.wait_seconds, headers=rate_headers(reading))


def _is_set_up(session: Session, user_id: UUID) -> bool:
    return any(each["kind"] == MAIL for each in factors_of(session, user_id))


def _digest(accounts: Accounts, user_id: UUID, purpose: str, code: str) -> bytes:
    return code_digest(accounts.keys.codes, f"mail code of {user_id} for {purpose}", code)
