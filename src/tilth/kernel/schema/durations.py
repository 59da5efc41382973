"""ISO 8601 durations ↔ timedelta, written as pydantic writes them."""

import re
from datetime import timedelta
from decimal import Decimal

_DURATION = re.compile(
    r"(?P<sign>[-+]?)P"
    r"(?:(?P<years>[-+]?\d+)Y)?(?:(?P<months>[-+]?\d+)M)?"
    r"(?:(?P<weeks>[-+]?\d+)W)?(?:(?P<days>[-+]?\d+)D)?"
    r"(?:T(?:(?P<hours>[-+]?\d+)H)?(?:(?P<minutes>[-+]?\d+)M)?"
    r"(?:(?P<seconds>[-+]?\d+(?:[.,]\d{1,9})?)S)?)?",
    re.ASCII,
)
_SECONDS = {"years": 31_536_000, "weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60}


def timedelta_from(text: str) -> timedelta:
    """Each part may have its own sign, as PostgreSQL writes them; a year is 365 days, as in pydantic.

    Raises ValueError: months have no fixed length, and no part at all is no duration.
    """
    match = _DURATION.fullmatch(text)
    if match is None or text[-1] in "PT":
        raise ValueError("not an ISO 8601 duration")
    parts = {name: part for name, part in match.groupdict().items() if part}
    sign = -1 if parts.pop("sign", "") == "-" else 1
    if "months" in parts:
        raise ValueError("months have no fixed length")
    seconds = Decimal(parts.pop("seconds", "0").replace(",", "."))
    whole = sum(_SECONDS[name] * int(part) for name, part in parts.items())
    microseconds = whole * 1_000_000 + int((seconds * 1_000_000).to_integral_value())
    try:
        return sign * timedelta(microseconds=microseconds)
    except OverflowError as exc:
        raise ValueError("longer than 999,999,999 days") from exc


def duration_text(value: timedelta) -> str:
    """The sign leads, days beyond 364 become years of 365 days, zero is "PT0S"."""
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    years, days = divmod(value.days, 365)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    second = f"{seconds}.{value.microseconds:06}".rstrip("0") if value.microseconds else seconds
    date = _joined((years, "Y"), (days, "D"))
    time = _joined((hours, "H"), (minutes, "M"), (second, "S"))
    if not (date or time):
        return "PT0S"
    return f"{sign}P{date}T{time}" if time else f"{sign}P{date}"


def _joined(*parts: tuple[int | str, str]) -> str:
    return "".join(f"{number}{unit}" for number, unit in parts if number)
