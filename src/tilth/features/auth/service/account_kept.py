"""An account as its owner sees it: shown, exported, ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import Unauthenticated
from tilth.features.auth.models.api_keys import keys_of
from tilth.features.auth.models.audit import NOWHERE, Origin, history, record
from tilth.features.auth.models.factors import factors_of
from tilth.features.auth.models.passkeys import passkeys_of
from tilth.features.auth.models.refresh import end_families
from tilth.features.auth.models.roles import roles_of
from tilth.features.auth.models.secrets import listed, revoke
from tilth.features.auth.models.sessions import end_sessions, sessions_of
from tilth.features.auth.models.users import Account, account_by_id, delete_account
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.credentials_changed import end_everything, tell
from tilth.features.auth.service.passwords_asked import Proved, settle
from tilth.kernel.policy.actor import Actor

Result = TypeVar("Result")
Again = Callable[[Session, Account, datetime], Result]

NOT_EXPORTED = frozenset(
    {"digest", "hash", "seed", "credential_id", "public_key", "user_handle", "sign_count"}
)
"""Of no use to their owner, and of some to whoever finds the file."""


async def account_of(accounts: Accounts, user_id: str | None) -> Account:
    """Raises Unauthenticated when it is gone since it was signed in to."""
    found = None
    if user_id is not None:
        wanted = UUID(user_id)
        found = await accounts.run(lambda session, _: account_by_id(session, wanted))
    if found is None or found.disabled_at:
        raise Unauthenticated("Sign in.")
    return found


async def export(accounts: Accounts, user_id: UUID) -> dict[str, Any]:
    """Everything that is kept of an account here, in JSON's types."""

    def exported(session: Session, now: datetime) -> dict[str, Any]:
        account = account_by_id(session, user_id)
        assert account is not None
        return {
            "account": {
                "id": str(account.id),
                "username": account.username,
                "email": account.email,
                "email_verified_at": _text(account.email_verified_at),
                "phone": account.phone,
                "phone_verified_at": _text(account.phone_verified_at),
                "created_at": _text(account.created_at),
                "password_changed_at": _text(account.password_changed_at),
            },
            "roles": sorted(roles_of(session, user_id)),
            "sessions": [_plain(row) for row in sessions_of(session, user_id, now)],
            "api_keys": [_plain(row) for row in keys_of(session, user_id)],
            "factors": [_plain(row) for row in factors_of(session, user_id)],
            "passkeys": [_plain(asdict(each)) for each in passkeys_of(session, user_id)],
            "trusted_devices": [
                _plain(row) for row in listed(session, user_id, "trusted_device", now)
            ],
            "history": [_plain(row) for row in history(session, user_id, limit=10_000)],
        }

    return await accounts.run(exported)


async def end_account(accounts: Accounts, proved: Proved, origin: Origin) -> None:
    """Sessions, tokens, keys and factors end with it; what it did stays in the history, by its id."""

    def ended(session: Session, now: datetime) -> None:
        settle(session, proved)
        delete_account(session, proved.account.id)
        record(session, "account.deleted", now, origin or NOWHERE, user_id=proved.account.id)

    await accounts.changed(ended)
    tell(accounts, "deleted", proved.account, accounts.now(), origin.address)


async def end_others(
    accounts: Accounts, account: Account, asking: Actor, origin: Origin, again: Again[Result]
) -> Result | None:
    """Everything that is signed in to the account but whoever asks: sessions and tokens.

    A session that is kept in the database stays what it is; of what is kept nowhere all ends, and again
    makes one anew. Answers what it made.
    """
    stays = asking.method == "session" and accounts.options.sessions == "server"

    def ended(session: Session, now: datetime) -> Result | None:
        record(session, "sessions.revoked", now, origin, user_id=account.id)
        if stays and asking.credential is not None:
            end_sessions(session, account.id, but=UUID(asking.credential))
            end_families(session, account.id)
            revoke(session, account.id, ["trusted_device"])
            return None
        end_everything(session, account.id)
        current = account_by_id(session, account.id)
        assert current is not None
        return again(session, current, now)

    return await accounts.changed(ended)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): _text(value) for name, value in row.items() if name not in NOT_EXPORTED}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
