"""A file of accounts from elsewhere → one record for each line, or what is wrong with it.

CSV with a header, or one JSON object on each line. Hashes are quoted nowhere.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tilth.errors import BadCredential, CommandError, Invalid
from tilth.features.auth.service import names
from tilth.features.auth.service.names import Name
from tilth.features.auth.service.passwords.argon2id import Cost
from tilth.features.auth.service.passwords.hashes import importable
from tilth.kit.text import sentence_list, suggest

COLUMNS = ("username", "email", "phone", "hash", "roles", "email_verified")
READERS = (("username", names.username), ("email", names.email), ("phone", names.phone))
FLAGS = {"": False, "false": False, "no": False, "0": False, "true": True, "yes": True, "1": True}


@dataclass(frozen=True, slots=True)
class Line:
    """number: in the file, from 1. hash: as it is to be stored, None for an account without password."""

    number: int
    names: tuple[Name, ...]
    hash: str | None
    roles: tuple[str, ...]
    is_verified: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that cannot be an account, and why."""

    number: int
    reason: str


def lines_of_csv(
    text: Iterable[str], cost: Cost, *, salt_last: bool = False
) -> Iterator[Line | Refused]:
    """Raises CommandError for a header that has other columns."""
    rows = csv.DictReader(text, strict=True, restkey="")
    try:
        _check_columns(rows.fieldnames or ())
        for row in rows:
            if None in row.values() or "" in row:
                yield Refused(rows.line_num, "it has not as many cells as the header.")
            else:
                yield _line(rows.line_num, row, cost, salt_last)
    except csv.Error as exc:
        raise CommandError(f"Line {rows.line_num + 1} is no CSV: {exc}.") from exc


def lines_of_json(
    text: Iterable[str], cost: Cost, *, salt_last: bool = False
) -> Iterator[Line | Refused]:
    """Empty lines are passed over. Raises CommandError for a member of another name."""
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            yield Refused(number, "it is no JSON.")
            continue
        if not isinstance(found, dict):
            yield Refused(number, "it is no JSON object.")
            continue
        _check_columns(found)
        texts = {name: _text(value) for name, value in found.items()}
        wrong = [name for name, text in texts.items() if text is None]
        if wrong:
            yield Refused(number, f"{sentence_list(wrong)} is of another type.")
        else:
            yield _line(number, texts, cost, salt_last)


def _line(
    number: int, given: Mapping[str, str | None], cost: Cost, salt_last: bool
) -> Line | Refused:
    told = {name: (text or "").strip() for name, text in given.items()}
    reasons: list[str] = []
    found = list(_names(told, reasons))
    is_verified = FLAGS.get(told.get("email_verified", "").lower())
    if is_verified is None:
        reasons.append("email_verified is true or false.")
    if not found and not reasons:
        reasons.append("it has no username, e-mail address or telephone number.")
    hash_ = _hash(told.get("hash", ""), cost, salt_last, reasons) if not reasons else None
    if reasons:
        return Refused(number, " ".join(reasons))
    roles = tuple(told.get("roles", "").split())
    return Line(number, tuple(found), hash_, roles, bool(is_verified))


def _names(told: Mapping[str, str], reasons: list[str]) -> Iterator[Name]:
    for column, read in READERS:
        if told.get(column):
            try:
                yield read(told[column])
            except Invalid as exc:
                reasons.extend(fault.detail for fault in exc.faults)


def _hash(text: str, cost: Cost, salt_last: bool, reasons: list[str]) -> str | None:
    if not text:
        return None
    try:
        return importable(text, cost, salt_last=salt_last)
    except BadCredential as exc:
        reasons.append(str(exc))
        return None


def _check_columns(columns: Collection[str]) -> None:
    if len(set(columns)) < len(columns):
        raise CommandError("A column stands in the header twice.")
    for column in columns:
        if column not in COLUMNS:
            close = suggest(column, COLUMNS)
            meant = f"Did you mean {close}? " if close else ""
            hint = f"{meant}There is {sentence_list(COLUMNS)}."
            raise CommandError(f"Accounts have no column {column!r}.", hint)


def _text(value: Any) -> str | None:
    """As a cell would have it; None for what no cell could hold."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return value if isinstance(value, str) else None
