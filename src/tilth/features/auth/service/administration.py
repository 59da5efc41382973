"""What whoever runs the application does with accounts, from the command line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tilth.errors import CommandError
from tilth.features.auth.models.audit import NOWHERE, record
from tilth.features.auth.models.roles import grant, roles_of, stored_roles, withdraw
from tilth.features.auth.models.sessions import sessions_of
from tilth.features.auth.models.users import (
    Account,
    account_by_id,
    account_by_names,
    change,
    is_taken,
    list_accounts,
    new_account,
)
from tilth.features.auth.service.accounts import Accounts, permissions_of
from tilth.features.auth.service.credentials_changed import end_everything
from tilth.features.auth.service.names import name_from
from tilth.features.auth.service.sign_up import Wish, check_password, names_from, taken
from tilth.kernel.policy.actor import SUPERUSER, Actor
from tilth.kit.text import sentence_list, suggest


@dataclass(frozen=True, slots=True)
class Listed:
    """An account and the roles it has."""

    account: Account
    roles: frozenset[str]


async def create(accounts: Accounts, wish: Wish, roles: Sequence[str]) -> Listed:
    """Raises Invalid as sign-up does, and CommandError for a role that there is not.

    An address counts as confirmed: whoever runs the application answers for it.
    """
    wanted = names_from(wish)
    check_password(accounts, wish.password, wanted)
    hash_ = await accounts.hashing.hash(wish.password)

    def created(session: Session, now: datetime) -> Listed:
        check_roles(accounts, session, roles)
        for name in wanted:
            if is_taken(session, name):
                raise taken(name)
        try:
            made = new_account(session, wanted, hash_, now, verified=frozenset({"email", "phone"}))
        except IntegrityError as exc:
            raise taken(wanted[0]) from exc
        for role in roles:
            grant(session, made, role, now)
        record(session, "account.created", now, NOWHERE, user_id=made, data={"roles": list(roles)})
        account = account_by_id(session, made)
        assert account is not None
        return Listed(account, frozenset(roles))

    return await accounts.run(created)


async def listed(accounts: Accounts, search: str | None, limit: int) -> list[Listed]:
    def found(session: Session, now: datetime) -> list[Listed]:
        rows = list_accounts(session, search, limit)
        return [Listed(each, roles_of(session, each.id)) for each in rows]

    return await accounts.run(found)


async def change_roles(
    accounts: Accounts, name: str, add: Collection[str], remove: Collection[str]
) -> Listed:
    """With the next request what they may is another. Raises CommandError."""

    def changed(session: Session, now: datetime) -> Listed:
        account = _found(session, name)
        check_roles(accounts, session, add)
        for role in add:
            if grant(session, account.id, role, now):
                _record(session, "role.granted", now, account.id, {"role": role})
        for role in remove:
            if withdraw(session, account.id, role):
                _record(session, "role.withdrawn", now, account.id, {"role": role})
        return Listed(account, roles_of(session, account.id))

    return await accounts.changed(changed)


async def set_disabled(accounts: Accounts, name: str, *, is_disabled: bool) -> Account:
    """Disabling ends every session, token and link that waits; keys sleep. Raises CommandError."""

    def changed(session: Session, now: datetime) -> Account:
        account = _found(session, name)
        if is_disabled == (account.disabled_at is not None):
            return account
        change(session, account.id, {"disabled_at": now if is_disabled else None})
        if is_disabled:
            end_everything(session, account.id)
        kind = "account.disabled" if is_disabled else "account.enabled"
        _record(session, kind, now, account.id, {})
        return account

    return await accounts.changed(changed)


async def sessions(
    accounts: Accounts, name: str, *, ends_all: bool = False
) -> Sequence[Mapping[str, Any]]:
    """Those that an account has, or had; tokens and sealed cookies end with them. Raises CommandError."""

    def found(session: Session, now: datetime) -> Sequence[Mapping[str, Any]]:
        account = _found(session, name)
        rows = [dict(row) for row in sessions_of(session, account.id, now)]
        if ends_all:
            end_everything(session, account.id)
            _record(session, "sessions.revoked", now, account.id, {})
        return rows

    return await accounts.changed(found)


async def actor_named(accounts: Accounts, name: str) -> tuple[Account, Actor]:
    """name: an id, username, address or number. Raises CommandError when nobody has it, or may not
    sign in.
    """

    def found(session: Session, now: datetime) -> tuple[Account, Actor]:
        account = _with_id(session, name) or _found(session, name)
        if account.disabled_at is not None:
            raise CommandError(f"{account.label} is disabled, and may nothing.")
        roles, stored = roles_of(session, account.id), stored_roles(session)
        held = frozenset(each for role in roles for each in stored.get(role, ()))
        permissions = permissions_of(accounts.backend.roles, roles, held)
        return account, Actor(
            str(account.id),
            roles=roles,
            permissions=permissions,
            method="command line",
            assurance=1,
        )

    return await accounts.run(found)


def _with_id(session: Session, name: str) -> Account | None:
    try:
        return account_by_id(session, UUID(name))
    except ValueError:
        return None


def _record(
    session: Session, kind: str, now: datetime, user_id: UUID, data: Mapping[str, str]
) -> None:
    told = {**data, "by": "command line"}
    record(session, kind, now, NOWHERE, user_id=user_id, data=told)


def _found(session: Session, name: str) -> Account:
    read = name_from(name)
    account = account_by_names(session, [read] if read else [])
    if account is None:
        raise CommandError(f"There is no account {name}.", "See those there are: tilth user list")
    return account


def check_roles(accounts: Accounts, session: Session, roles: Collection[str]) -> None:
    known = {SUPERUSER, *accounts.backend.roles, *stored_roles(session)}
    for role in roles:
        if role not in known:
            close = suggest(role, known)
            hint = (
                f"Did you mean {close}?" if close else f"There is {sentence_list(sorted(known))}."
            )
            raise CommandError(
                f"There is no role {role}.", f"{hint} Declare it: app.role({role!r})"
            )
