"""What has to happen when somebody proves anew who they are: everything of before ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.features.auth.models.refresh import end_families
from tilth.features.auth.models.secrets import Kind, revoke
from tilth.features.auth.models.sessions import end_sessions
from tilth.features.auth.models.users import Account, raise_epoch
from tilth.features.auth.service.accounts import Accounts

PENDING: tuple[Kind, ...] = ("reset", "magic_link", "sign_in", "change_email", "verify_email")


def end_everything(
    session: Session, user_id: UUID, *, but: UUID | None = None, pending: Iterable[Kind] = PENDING
) -> None:
    """Sessions (all but one), tokens, and links that wait. API keys are credentials of their own."""
    raise_epoch(session, user_id)
    end_sessions(session, user_id, but=but)
    end_families(session, user_id)
    revoke(session, user_id, list(pending))


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
