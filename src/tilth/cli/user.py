"""Accounts of an application: made, listed, given roles, disabled, signed out."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from getpass import getpass
from typing import Any, TypeVar

from rich.box import SIMPLE_HEAD
from rich.table import Table

from tilth.cli.actor import USAGE
from tilth.cli.discover import application_for
from tilth.cli.opening import require_tables
from tilth.cli.talk import counted, print_document, say, stdout
from tilth.errors import CommandError, Finding, Invalid, SetupError
from tilth.features.auth.service import administration
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.administration import Listed
from tilth.features.auth.service.sign_up import Wish

Result = TypeVar("Result")
Work = Callable[[Accounts], Awaitable[Result]]


def create(
    named: str | None,
    name: str | None,
    roles: Sequence[str],
    *,
    email: str | None,
    from_stdin: bool,
    as_json: bool,
) -> None:
    """name: a username, or an address when there is an @ in it."""
    if name is None:
        raise CommandError("Whose account?", "Say a NAME, or --link to let them choose.", USAGE)
    username, address = (None, name) if "@" in name else (name, email)
    wish = Wish(username, address, None, _password(from_stdin))
    try:
        made = with_accounts(named, lambda accounts: administration.create(accounts, wish, roles))
    except Invalid as exc:
        raise CommandError(" ".join(fault.detail for fault in exc.faults)) from exc
    if as_json:
        print_document(_document(made))
    else:
        say(f"{made.account.label} can sign in.")


def list_(named: str | None, search: str | None, limit: int, *, as_json: bool) -> None:
    found = with_accounts(named, lambda accounts: administration.listed(accounts, search, limit))
    if as_json:
        print_document({"accounts": [_document(each) for each in found]})
        return
    table = Table("name", "e-mail", "roles", "since", "", box=SIMPLE_HEAD, pad_edge=False)
    for each in found:
        account = each.account
        table.add_row(
            account.label,
            account.email or "-",
            ", ".join(sorted(each.roles)) or "-",
            f"{account.created_at:%Y-%m-%d}",
            "disabled" if account.disabled_at else "",
        )
    stdout().print(table)


def role(
    named: str | None, name: str, add: Sequence[str], remove: Sequence[str], *, as_json: bool
) -> None:
    if not add and not remove:
        raise CommandError("There is nothing to change.", "Say --add ROLE or --remove ROLE.", USAGE)
    found = with_accounts(
        named, lambda accounts: administration.change_roles(accounts, name, add, remove)
    )
    if as_json:
        print_document(_document(found))
    else:
        say(f"{found.account.label}: {', '.join(sorted(found.roles)) or 'no roles'}.")


def disable(named: str | None, name: str, *, is_disabled: bool, as_json: bool) -> None:
    account = with_accounts(
        named,
        lambda accounts: administration.set_disabled(accounts, name, is_disabled=is_disabled),
    )
    if as_json:
        print_document({"id": str(account.id), "is_disabled": is_disabled})
    else:
        told = "is disabled and signed out everywhere" if is_disabled else "can sign in again"
        say(f"{account.label} {told}.")


def sessions(named: str | None, name: str, *, revoke: bool, as_json: bool) -> None:
    rows = with_accounts(
        named, lambda accounts: administration.sessions(accounts, name, ends_all=revoke)
    )
    shown = [
        {
            "id": str(row["id"]),
            "created_at": row["created_at"].isoformat(),
            "seen_at": row["seen_at"].isoformat(),
            "address": row["address"],
            "agent": row["agent"],
        }
        for row in rows
    ]
    if as_json:
        print_document({"sessions": shown, "ended": revoke})
        return
    table = Table("last seen", "address", "browser", "id", box=SIMPLE_HEAD, pad_edge=False)
    for each in shown:
        table.add_row(each["seen_at"], each["address"] or "-", each["agent"] or "-", each["id"])
    stdout().print(table)
    if revoke:
        say(f"{counted(len(shown), 'session')} ended.")


def with_accounts(named: str | None, work: Work[Result]) -> Result:
    """Raises CommandError and SetupError before anything is asked of the database."""
    app = application_for(named)
    backend = app.freeze()
    accounts = backend.states.get("auth")
    if not isinstance(accounts, Accounts):
        raise SetupError(_no_accounts())
    require_tables(backend, named or "")

    async def whole() -> Result:
        try:
            return await work(accounts)
        finally:
            accounts.hashing.close()
            await accounts.units.close()
            await backend.store.database.close()

    return asyncio.run(whole())


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise CommandError(
            "There is nobody to ask for a password.", "Pipe it in: --password-stdin", USAGE
        )
    password = getpass("Password: ")
    if getpass("Again: ") != password:
        raise CommandError("These were two different passwords.")
    return password


def _document(found: Listed) -> dict[str, Any]:
    account = found.account
    return {
        "id": str(account.id),
        "username": account.username,
        "email": account.email,
        "roles": sorted(found.roles),
        "created_at": account.created_at.isoformat(),
        "is_disabled": account.disabled_at is not None,
        "has_second_factor": account.factors > 0,
    }


def _no_accounts() -> Finding:
    return Finding(
        "auth.none",
        "auth",
        "this application has no accounts.",
        "Turn them on: Tilth(auth=Auth())",
    )
