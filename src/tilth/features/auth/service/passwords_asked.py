"""A name and a password → the account they belong to, or an answer that tells nothing.

Whether the name is unknown, the account disabled, or the password wrong: the same statements are run,
one hash is computed, and the same is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from tilth.errors import Unauthenticated
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import Account, account_by_id, account_by_names, rehash
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.guard import (
    Admission,
    account_key,
    admit,
    admit_failure,
    blur,
    forgive_failure,
)
from tilth.features.auth.service.names import Name, name_from

PASSWORD = "pwd"
"""RFC 8176's word for it."""

MOST_NAME_CHARACTERS = 320


@dataclass(frozen=True, slots=True)
class Asked:
    """Who somebody says they are. device: of a browser that signed in to some account before."""

    name: Name | None
    text: str
    password: str
    origin: Origin
    device: str | None = None


@dataclass(frozen=True, slots=True)
class Proved:
    """The password was right, or something else has proved as much. better_hash: to be stored instead of the account's; None if it is good."""

    account: Account
    admission: Admission
    at: datetime
    better_hash: str | None = None

    @property
    def proof(self) -> Proof:
        return Proof(self.account.id, 1, (PASSWORD,), self.at)


def asked_from(name: str, password: str, origin: Origin, device: str | None = None) -> Asked:
    return Asked(name_from(name), name[:MOST_NAME_CHARACTERS], password, origin, device)


async def prove_password(accounts: Accounts, asked: Asked) -> Proved:
    """Raises Unauthenticated, TooManyRequests and Unavailable."""

    def admitted(session: Session, now: datetime) -> tuple[Admission, Account | None]:
        admission = admit(session, accounts.options.limits, asked.origin, now)
        account = account_by_names(session, [asked.name] if asked.name else [])
        key = _key(asked, account)
        return admit_failure(session, admission, key, now), account

    admission, account = await accounts.run(admitted)
    admission.check()
    return await _verified(accounts, asked, account, admission)


async def prove_again(
    accounts: Accounts, account: Account, password: str, origin: Origin
) -> Proved:
    """Of somebody who is signed in: before something that must not be done by who found a screen open."""

    def admitted(session: Session, now: datetime) -> Admission:
        admission = admit(session, accounts.options.limits, origin, now)
        return admit_failure(session, admission, account_key("again", str(account.id)), now)

    admission = await accounts.run(admitted)
    admission.check()
    asked = Asked(None, account.label, password, origin)
    return await _verified(accounts, asked, account, admission)


async def _verified(
    accounts: Accounts, asked: Asked, account: Account | None, admission: Admission
) -> Proved:
    is_there = account is not None and account.disabled_at is None
    stored = account.hash if account is not None and is_there else None
    verdict = await accounts.hashing.verify(stored, asked.password)
    if account is None or not verdict.matches:
        user_id = account.id if account else None
        await accounts.run(
            lambda s, now: record(s, "sign_in.failed", now, asked.origin, user_id=user_id)
        )
        await blur()
        raise wrong(admission)
    better = await accounts.hashing.hash(asked.password) if verdict.needs_rehash else None
    return Proved(account, admission, accounts.now(), better)


def settle(session: Session, proved: Proved) -> None:
    """In the unit that does what the password was asked for. Raises Unauthenticated when the account
    has changed since: then what was proved is not true any more.
    """
    forgive_failure(session, proved.admission)
    if proved.better_hash is not None and proved.account.hash is not None:
        rehash(session, proved.account.id, proved.account.hash, proved.better_hash)
    current = account_by_id(session, proved.account.id, lock=True)
    if current is None or current.disabled_at or current.epoch != proved.account.epoch:
        raise wrong(proved.admission)


def wrong(admission: Admission) -> Unauthenticated:
    return Unauthenticated(
        "The name or the password is wrong.",
        code="invalid_credentials",
        headers=admission.headers,
    )


def _key(asked: Asked, account: Account | None) -> bytes:
    """What failures are counted under. A browser that its owner used before counts for itself, so
    that a stranger who tries and tries does not keep the owner out.
    """
    if account is not None and asked.device == str(account.id):
        return account_key("known device", str(account.id))
    return account_key("password", str(account.id) if account else f"{asked.text.casefold()}")
