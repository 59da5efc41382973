"""E-mail addresses: confirmed, and exchanged for others. Both are told."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.secrets import NewSecret, consume, issue, revoke
from tilth.features.auth.models.users import Account, account_by_id, change, is_taken
from tilth.features.auth.service import names
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.credentials_changed import tell
from tilth.features.auth.service.names import Name
from tilth.features.auth.service.passwords_asked import Proved, settle
from tilth.features.auth.service.sign_up import stale_link
from tilth.kit.secrets import new_token, token_digest

LINK_HOURS = 24
CHANGE_PATH = "/account/email"
VERIFY_PATH = "/account/verify"


async def ask_for_change(accounts: Accounts, proved: Proved, email: str, origin: Origin) -> None:
    """Sends a link to the new address and word to the old one. That the new one has an account is told
    to its owner only.
    """
    wanted, token, account = names.email(email), new_token(), proved.account

    def asked(session: Session, now: datetime) -> bool:
        settle(session, proved)
        revoke(session, account.id, ["change_email"])
        is_known = is_taken(session, wanted)
        told = {"shown": wanted.shown, "key": wanted.key}
        issue(
            session,
            NewSecret(
                "change_email",
                token_digest(token),
                now + timedelta(hours=LINK_HOURS),
                account.id,
                token_digest(wanted.key),
                told,
            ),
            now,
        )
        record(session, "email.change_asked", now, origin, user_id=account.id)
        return is_known

    is_known = await accounts.run(asked)
    letters = accounts.letters
    if is_known:
        letter = letters.write("change_email_taken", wanted.shown)
    else:
        link = letters.link(CHANGE_PATH, token)
        letter = letters.write(
            "change_email", wanted.shown, link=link, hours=LINK_HOURS, name=account.label
        )
    accounts.postman.post(letter)
    tell(accounts, "email_changing", account, accounts.now(), origin.address)


async def confirm_change(accounts: Accounts, token: str, origin: Origin) -> None:
    """The address in the link is the one that is set, whatever was asked for since."""

    def changed(session: Session, now: datetime) -> Account | None:
        secret = consume(session, "change_email", token_digest(token), now)
        if secret is None or secret.user_id is None:
            return None
        account = account_by_id(session, secret.user_id, lock=True)
        wanted = Name("email", secret.data["shown"], secret.data["key"])
        if account is None or account.disabled_at or is_taken(session, wanted):
            return None
        values = {"email": wanted.shown, "email_key": wanted.key, "email_verified_at": now}
        try:
            change(session, account.id, values)
        except IntegrityError as exc:
            raise stale_link() from exc
        # Links that were sent to the old address belong to whoever reads it.
        revoke(
            session,
            account.id,
            ["reset", "magic_link", "verify_email", "change_email", "mail_code"],
        )
        record(session, "email.changed", now, origin, user_id=account.id)
        return account

    account = await accounts.changed(changed)
    if account is None:
        raise stale_link()
    tell(accounts, "email_changed", account, accounts.now(), origin.address)


async def ask_for_verification(accounts: Accounts, account: Account, origin: Origin) -> None:
    """Of the address an account has and has not confirmed; nothing otherwise."""
    if account.email is None or account.email_key is None or account.email_verified_at:
        return
    token, bound = new_token(), token_digest(account.email_key)

    def asked(session: Session, now: datetime) -> None:
        revoke(session, account.id, ["verify_email"])
        ends = now + timedelta(hours=LINK_HOURS)
        issue(session, NewSecret("verify_email", token_digest(token), ends, account.id, bound), now)
        record(session, "email.verification_asked", now, origin, user_id=account.id)

    await accounts.run(asked)
    link = accounts.letters.link(VERIFY_PATH, token)
    accounts.postman.post(
        accounts.letters.write("verify_email", account.email, link=link, hours=LINK_HOURS)
    )


async def verify(accounts: Accounts, token: str, origin: Origin) -> None:
    def verified(session: Session, now: datetime) -> bool:
        secret = consume(session, "verify_email", token_digest(token), now)
        if secret is None or secret.user_id is None:
            return False
        account = account_by_id(session, secret.user_id, lock=True)
        if account is None or secret.bound_to != token_digest(account.email_key or ""):
            return False
        change(session, account.id, {"email_verified_at": now})
        record(session, "email.verified", now, origin, user_id=account.id)
        return True

    if not await accounts.run(verified):
        raise stale_link()
