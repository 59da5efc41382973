"""Texts that SQLite columns hold for dates and times → the column type that compares with them."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import Date, DateTime, Dialect, String, Text, Time
from sqlalchemy.types import TypeDecorator, TypeEngine

_SHAPE = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:(?P<between>[ T])\d\d:\d\d(?P<seconds>:\d\d(?:\.(?P<fraction>\d+))?)?"
    r"(?P<zone>Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_CLOCK = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,6})?", re.ASCII)
_MICROSECOND_DIGITS = 6
_UTC = ("", "Z", "+00:00", "+0000")


@dataclass(frozen=True, slots=True)
class Spelling:
    """How moments are written. digits: after the second; trimmed: none of them for whole seconds."""

    between: str
    seconds: bool
    digits: int
    zone: str
    trimmed: bool = False


class SpelledMoment(TypeDecorator[datetime]):
    """A moment in UTC, stored as text in another spelling than SQLAlchemy's.

    A text to SQLAlchemy, so that no dialect spells it its own way.
    """

    impl = String
    cache_ok = True

    def __init__(self, spelling: Spelling) -> None:
        super().__init__()
        self.spelling = spelling

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else spelled(value, self.spelling)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


# A date alone is how the usual spelling may leave out midnight.
_DAY = Spelling(" ", seconds=True, digits=-1, zone="")


def spelled(moment: datetime, spelling: Spelling) -> str:
    """The moment as it is stored. What the spelling has no room for follows its end, so that the
    text still sorts between its neighbours: 10:00:00.5 among whole seconds is "10:00:00Z5".
    """
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if not spelling.seconds:
        kept, rest = plain.isoformat(spelling.between, "minutes"), f"{plain:%S%f}"
    else:
        digits = 0 if spelling.trimmed and not plain.microsecond else spelling.digits
        fraction = f"{plain:%f}"
        kept = plain.isoformat(spelling.between, "seconds")
        kept, rest = kept + (f".{fraction[:digits]}" if digits else ""), fraction[digits:]
    return kept + spelling.zone + rest.rstrip("0")


def moment_type(texts: Collection[str], *, declared: TypeEngine[Any]) -> TypeEngine[Any]:
    """Date, DateTime or Time when every text is one in a spelling that sorts by time; else Text."""
    if isinstance(declared, Time):
        return Time() if all(map(_is_clock, texts)) else Text()
    found = set(map(_spelling, texts))
    if None in found or not all(map(_is_moment, texts)):
        return Text()
    if found == {_DAY}:
        return Date()
    spelling = _common_spelling({spelling for spelling in found if spelling})
    if spelling is None:
        return Text()
    return DateTime() if _is_usual(spelling) else SpelledMoment(spelling)


def _is_clock(text: str) -> bool:
    return bool(_CLOCK.fullmatch(text)) and _is_read(time.fromisoformat, text)


def _is_moment(text: str) -> bool:
    return _is_read(datetime.fromisoformat, text)


def _is_read(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _spelling(text: str) -> Spelling | None:
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    between, seconds, fraction, zone = found.groups()
    if between is None:
        return _DAY
    return Spelling(between, seconds is not None, len(fraction or ""), zone or "")


def _common_spelling(found: set[Spelling]) -> Spelling | None:
    """The one spelling of all, or one that only leaves out fractions of zero."""
    longest = max(found, key=lambda spelling: spelling.digits)
    if longest.digits > _MICROSECOND_DIGITS or longest.zone not in _UTC:
        return None
    # The store compares the usual spelling with fractions of any length.
    if len(found) == 1 or all(map(_is_usual, found)):
        return longest
    trimmed = replace(longest, trimmed=True)
    return trimmed if found == {longest, replace(longest, digits=0)} and not longest.zone else None


def _is_usual(spelling: Spelling) -> bool:
    return spelling.between == " " and spelling.seconds and not spelling.zone
