"""Text from a URL → Python value for a column, one function per kind.

Every parser is strict and raises ValueError with a sentence that says what was expected.
"""

import enum
import math
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tilth.kernel.schema.durations import timedelta_from

Parse = Callable[[str], Any]

INT64 = range(-(2**63), 2**63)
LONGEST_NUMBER = 1000
_INTEGER = re.compile(r"[-+]?\d+", re.ASCII)
_DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_DATE = r"\d{4}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?"
_OFFSET = r"(?:[Zz]|[-+]\d\d:?\d\d)"
_ONE_DATE = re.compile(_DATE, re.ASCII)
_ONE_CLOCK = re.compile(_CLOCK, re.ASCII)
_CLOCK_WITH_OFFSET = re.compile(rf"{_CLOCK}{_OFFSET}?", re.ASCII)
_MOMENT = re.compile(rf"{_DATE}(?:[Tt ]{_CLOCK}{_OFFSET}?)?", re.ASCII)
_UUID = re.compile(
    r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE
)


def parse_boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError(f"{_quoted(text)} is not a boolean. Use true or false.")
    return _BOOLEANS[text]


def parse_integer(text: str) -> int:
    # The length is checked first: converting long texts takes time that grows as their square.
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{_quoted(text)} is not a whole number.")
    if len(text) > LONGEST_NUMBER or int(text) not in INT64:
        raise ValueError(f"{_quoted(text)} is outside the range of 64-bit whole numbers.")
    return int(text)


def parse_float(text: str) -> float:
    number = float(text) if len(text) <= LONGEST_NUMBER and _DECIMAL.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{_quoted(text)} is not a finite number.")
    return number


def parse_decimal(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER or not _DECIMAL.fullmatch(text):
        raise ValueError(f"{_quoted(text)} is not a decimal number.")
    return Decimal(text)


def parse_text(text: str) -> str:
    """PostgreSQL can store neither the NUL character nor half of a surrogate pair."""
    if "\0" in text:
        raise ValueError("Text must not contain the NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("Text must be valid Unicode.") from exc
    return text


def parse_bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError as exc:
        raise ValueError(f"{_quoted(text)} is not base64.") from exc


def parse_moment(text: str) -> datetime:
    """RFC 3339; without an offset UTC, without a time midnight. Aware, in UTC."""
    try:
        moment = datetime.fromisoformat(text.upper()) if _MOMENT.fullmatch(text) else None
        if moment is not None:
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"{_quoted(text)} is not a date and time such as 2026-01-31T23:59:59Z.")


def parse_naive_moment(text: str) -> datetime:
    """The same moment for a column without time zone, which is taken as UTC."""
    return parse_moment(text).replace(tzinfo=None)


def parse_date(text: str) -> date:
    try:
        if _ONE_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{_quoted(text)} is not a date such as 2026-01-31.")


def parse_time(text: str) -> time:
    try:
        if _ONE_CLOCK.fullmatch(text):
            return time.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{_quoted(text)} is not a time such as 23:59:59.")


def parse_time_with_offset(text: str) -> time:
    """Without an offset UTC."""
    try:
        if _CLOCK_WITH_OFFSET.fullmatch(text):
            moment = time.fromisoformat(text.upper())
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        pass
    raise ValueError(f"{_quoted(text)} is not a time such as 23:59:59Z.")


def parse_interval(text: str) -> timedelta:
    try:
        return timedelta_from(text)
    except ValueError as exc:
        raise ValueError(f"{_quoted(text)} is not a duration such as P1DT2H30M: {exc}.") from exc


def parse_uuid(text: str) -> UUID:
    if not _UUID.fullmatch(text):
        raise ValueError(f"{_quoted(text)} is not a UUID.")
    return UUID(text)


def parse_uuid_text(text: str) -> str:
    """For columns whose Python values are text: Uuid(as_uuid=False)."""
    return str(parse_uuid(text))


def enum_parser(choices: Mapping[str, enum.Enum | str]) -> Parse:
    """choices: text in a URL → Python value."""

    def parse(text: str) -> enum.Enum | str:
        if text not in choices:
            raise ValueError(f"{_quoted(text)} is not one of: {', '.join(choices)}.")
        return choices[text]

    return parse


def parse_nothing(text: str) -> Any:
    """For kinds that can only be asked whether they are null."""
    raise ValueError("Values of this field cannot be compared, only asked for with isnull.")


def _quoted(text: str) -> str:
    return f'"{text[:40]}…"' if len(text) > 40 else f'"{text}"'
