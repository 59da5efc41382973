"""What has to happen when somebody proves anew who they are: everything of before ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.features.auth.models.api_keys import revoke_keys
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.passkeys import only_second
from tilth.features.auth.models.refresh import end_families
from tilth.features.auth.models.secrets import Kind, revoke
from tilth.features.auth.models.sessions import end_sessions
from tilth.features.auth.models.users import (
    Account,
    account_by_id,
    change,
    drop_password,
    raise_epoch,
)
from tilth.features.auth.service.accounts import Accounts

PENDING: tuple[Kind, ...] = (
    *("reset", "magic_link", "sign_in", "change_email", "verify_email", "mail_code"),
    *("passkey_factor", "passkey_step_up", "passkey_enrol"),
    "trusted_device",
)


def end_everything(
    session: Session, user_id: UUID, *, but: UUID | None = None, pending: Iterable[Kind] = PENDING
) -> None:
    """Sessions (all but one), tokens, and links that wait. API keys are credentials of their own."""
    raise_epoch(session, user_id)
    end_sessions(session, user_id, but=but)
    end_families(session, user_id)
    revoke(session, user_id, list(pending))


def claimed(session: Session, account: Account, now: datetime, origin: Origin) -> Account:
    """The account of somebody who has followed a mail to its address, for the first time or again.

    The first time its password, sessions, tokens and keys end: whoever made it may have been a
    stranger who waited for the owner of the address. Second factors stay, since no mail removes them;
    a passkey is not more than that from then on.
    """
    if account.email_verified_at is not None:
        return account
    end_everything(session, account.id)
    revoke_keys(session, account.id)
    drop_password(session, account.id)
    only_second(session, account.id)
    change(session, account.id, {"email_verified_at": now})
    record(session, "email.claimed", now, origin, user_id=account.id)
    current = account_by_id(session, account.id)
    assert current is not None
    return current


def tell(
    accounts: Accounts,
    kind: str,
    account: Account,
    now: datetime,
    address: str | None,
    **words: object,
) -> None:
    """By mail, if there is an address that is known to be theirs."""
    if account.email is not None:
        accounts.postman.post(
            accounts.letters.write(
                kind,
                account.email,
                name=account.label,
                at=f"{now:%Y-%m-%d %H:%M} UTC",
                address=address or "an unknown address",
                **words,
            )
        )
