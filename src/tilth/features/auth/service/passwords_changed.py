"""Forgotten and changed passwords."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.secrets import NewSecret, consume, issue, revoke
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import (
    Account,
    account_by_id,
    account_by_names,
    set_password,
)
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.credentials_changed import claimed, end_everything, tell
from tilth.features.auth.service.guard import Admission, admit, blur
from tilth.features.auth.service.names import Name, name_from
from tilth.features.auth.service.passwords_asked import Proved, settle
from tilth.features.auth.service.sign_in import Establish, Result
from tilth.features.auth.service.sign_up import check_password, stale_link
from tilth.kit.ids import uuid7
from tilth.kit.secrets import new_token, token_digest

LINK_MINUTES = 30
LINK_PATH = "/reset"


async def forget(accounts: Accounts, name: str, origin: Origin) -> Admission:
    """Sends a link to the address of the account, if there is one. The answer is always the same."""
    token, read = new_token(), name_from(name)

    def asked(session: Session, now: datetime) -> tuple[Admission, Account | None]:
        admission = admit(session, accounts.options.limits, origin, now, cost="reset")
        account = account_by_names(session, [read] if read else [])
        if account is None or account.disabled_at or account.email is None:
            account = None
        revoke(session, account.id if account else uuid7(), ["reset"])
        if not admission.wait_seconds:
            # The same is written for nobody; it fits no account, and nobody is sent it.
            issue(session, _link(token, account, now), now)
            user_id = account.id if account else None
            record(session, "password.forgotten", now, origin, user_id=user_id)
        return admission, account

    admission, account = await accounts.run(asked)
    admission.check()
    # Written for nobody as well: the time of the answer must not tell who exists.
    address = account.email if account else None
    link = accounts.letters.link(LINK_PATH, token)
    letter = accounts.letters.write("reset", address or "", link=link, minutes=LINK_MINUTES)
    if address is not None:
        accounts.postman.post(letter)
    await blur()
    return admission


async def reset(accounts: Accounts, token: str, password: str, origin: Origin) -> None:
    """A new password by a link. Signs nobody in, and a second factor stays what it is.

    Raises BadRequest for a link that is not good any more, Invalid for the password: then the link
    can still be used.
    """
    hash_ = await accounts.hashing.hash(password) if len(password) <= 1024 else ""

    def changed(session: Session, now: datetime) -> Account | None:
        secret = consume(session, "reset", token_digest(token), now)
        if secret is None or secret.user_id is None:
            return None
        account = account_by_id(session, secret.user_id, lock=True)
        if account is None or account.disabled_at or account.email_key is None:
            return None
        if secret.bound_to != token_digest(account.email_key):
            return None
        # Raises Invalid, and with the transaction the link is as it was.
        check_password(accounts, password, _names(account), has_factor=account.factors > 0)
        claimed(session, account, now, origin)
        set_password(session, account.id, hash_, now)
        end_everything(session, account.id)
        record(session, "password.reset", now, origin, user_id=account.id)
        return account

    account = await accounts.changed(changed)
    if account is None:
        raise stale_link()
    tell(accounts, "password_changed", account, accounts.now(), origin.address)


async def change_password(
    accounts: Accounts,
    proved: Proved,
    password: str,
    origin: Origin,
    establish: Establish[Result],
    *,
    assurance: int,
    methods: tuple[str, ...],
) -> Result:
    """By somebody who is signed in and has given the present one, or has none. Everything else of theirs
    ends, and the session they have becomes another, which is as fresh as what was proved.
    """
    account = proved.account
    check_password(
        accounts, password, _names(account), has_factor=account.factors > 0, pointer="/new_password"
    )
    hash_ = await accounts.hashing.hash(password)

    def changed(session: Session, now: datetime) -> Result:
        settle(session, proved)
        set_password(session, account.id, hash_, now)
        end_everything(session, account.id)
        record(session, "password.changed", now, origin, user_id=account.id)
        current = account_by_id(session, account.id)
        assert current is not None
        return establish(session, Proof(account.id, assurance, methods, proved.at), current, now)

    result = await accounts.changed(changed)
    tell(accounts, "password_changed", account, accounts.now(), origin.address)
    return result


def _link(token: str, account: Account | None, now: datetime) -> NewSecret:
    """Bound to the address it is sent to: when that changes, the link is worth nothing."""
    bound = token_digest(account.email_key or "") if account else token_digest(token)
    user_id: UUID | None = account.id if account else None
    ends = now + timedelta(minutes=LINK_MINUTES)
    return NewSecret("reset", token_digest(token), ends, user_id, bound)


def _names(account: Account) -> list[Name]:
    found = []
    if account.username:
        found.append(Name("username", account.username, account.username.casefold()))
    if account.email and account.email_key:
        found.append(Name("email", account.email, account.email_key))
    return found
