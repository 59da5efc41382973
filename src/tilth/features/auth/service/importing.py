"""Accounts from elsewhere, with the hashes of their passwords: all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tilth.errors import CommandError
from tilth.features.auth.models.audit import NOWHERE, record
from tilth.features.auth.models.roles import grant
from tilth.features.auth.models.users import is_taken, new_account
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.administration import check_roles
from tilth.features.auth.service.import_lines import Line, Refused


@dataclass(frozen=True, slots=True)
class Imported:
    """refused: in the order of the file; when there are any, no account was made."""

    made: int
    refused: tuple[Refused, ...] = ()


async def import_accounts(accounts: Accounts, lines: Iterable[Line | Refused]) -> Imported:
    """Raises CommandError for a role that there is not, or when somebody takes a name meanwhile."""
    read = list(lines)
    wanted = [each for each in read if isinstance(each, Line)]
    refused = [each for each in read if isinstance(each, Refused)]
    refused += _repeated(wanted)

    def imported(session: Session, now: datetime) -> Imported:
        check_roles(accounts, session, sorted({role for each in wanted for role in each.roles}))
        found = sorted([*refused, *_taken(session, wanted)], key=lambda each: each.number)
        if found:
            return Imported(0, tuple(found))
        for line in wanted:
            _make(session, line, now)
        return Imported(len(wanted))

    return await accounts.run(imported)


def _make(session: Session, line: Line, now: datetime) -> None:
    proved = frozenset({"email"}) if line.is_verified else frozenset()
    try:
        made = new_account(session, list(line.names), line.hash, now, verified=proved)
    except IntegrityError as exc:
        told = f"Line {line.number}: somebody took one of its names in this very moment."
        raise CommandError(told, "Nothing was imported. Try again.") from exc
    for role in line.roles:
        grant(session, made, role, now)
    data = {"roles": list(line.roles), "by": "import"}
    record(session, "account.created", now, NOWHERE, user_id=made, data=data)


def _repeated(lines: Sequence[Line]) -> list[Refused]:
    """Names that stand in the file before."""
    first: dict[tuple[str, str], int] = {}
    found = []
    for line in lines:
        for name in line.names:
            before = first.setdefault((name.kind, name.key), line.number)
            if before != line.number:
                told = f"its {name.kind} stands in line {before}, too."
                found.append(Refused(line.number, told))
    return found


def _taken(session: Session, lines: Sequence[Line]) -> list[Refused]:
    return [
        Refused(line.number, f"there is an account with its {name.kind} already.")
        for line in lines
        for name in line.names
        if is_taken(session, name)
    ]
