"""Texts that SQLite columns hold for dates and times → the column type that compares with them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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


def moment_type(texts: Sequence[str], *, declared: TypeEngine[Any]) -> TypeEngine[Any]:
    """Date, DateTime or Time when every text is one in a spelling that sorts by time; else Text."""
    if all(map(_is_clock, texts)):
        return Time() if isinstance(declared, Time) else Text()
    shapes = {_SHAPE.fullmatch(text) for text in texts}
    if isinstance(declared, Time) or None in shapes or not all(map(_is_moment, texts)):
        return Text()
    if not any(shape["between"] for shape in shapes if shape):
        return Date()
    spelling = _common_spelling([_spelling(shape) for shape in shapes if shape])
    if spelling is None:
        return Text()
    return DateTime() if _is_usual(spelling) else SpelledMoment(spelling)


def _is_clock(text: str) -> bool:
    try:
        return bool(_CLOCK.fullmatch(text)) and time.fromisoformat(text) is not None
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _spelling(shape: re.Match[str]) -> Spelling:
    if shape["between"] is None:
        return Spelling(" ", seconds=True, digits=0, zone="")
    digits = len(shape["fraction"] or "")
    return Spelling(shape["between"], shape["seconds"] is not None, digits, shape["zone"] or "")


def _common_spelling(each: Iterable[Spelling]) -> Spelling | None:
    """The one spelling of all, or one that only leaves out fractions of zero."""
    found = set(each)
    longest = max(found, key=lambda spelling: spelling.digits)
    whole = Spelling(longest.between, longest.seconds, 0, longest.zone)
    if longest.digits > _MICROSECOND_DIGITS or longest.zone not in _UTC:
        return None
    if len(found) == 1:
        return longest
    trimmed = Spelling(longest.between, longest.seconds, longest.digits, "", trimmed=True)
    if found == {longest, whole} and not longest.zone:
        return trimmed
    # The store compares the usual spelling with fractions of any length.
    return trimmed if all(map(_is_usual, found)) else None


def _is_usual(spelling: Spelling) -> bool:
    return spelling.between == " " and spelling.seconds and not spelling.zone
