"""What the store hands over for one value → its JSON value, one function per kind.

No decoder raises: a value that does not fit its column (SQLite allows any) is answered as it is
stored. All of them run once per value of every answer, so the usual form comes first.
"""

import json
import math
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import reduce
from typing import Any

import orjson

from tilth.kernel.schema.durations import duration_text, timedelta_from

Carrier = str | int | float | bool | bytes | None
"""What the store hands over for one value, whatever the database: see decode in Kind."""

Json = Any
"""A value orjson.dumps accepts."""

Decode = Callable[[Carrier], Json]

DEEPEST = 254
"""Levels of arrays and objects that orjson writes."""

DEEP = 200
"""Levels of them in one stored value; the rest are those of the answer around it."""

_ISO_START = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?(?:nan|inf(?:inity)?)", re.ASCII | re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1)
_UNFIT = (ValueError, TypeError, OverflowError)


def decode_stored(value: Carrier) -> Json:
    """The value as it is stored; bytes as base64, and no number JSON cannot write."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def decode_boolean(value: Carrier) -> Json:
    if value is None or isinstance(value, bool):
        return value
    return bool(value) if value in (0, 1) else decode_stored(value)


def decode_float(value: Carrier) -> Json:
    """SQLite stores -0.0 as 0.0, so that is what it is on PostgreSQL too."""
    if value is None:
        return None
    try:
        number = float(value)
    except _UNFIT:
        return decode_stored(value)
    return number + 0.0 if math.isfinite(number) else None


def decimal_decoder(scale: int | None) -> Decode:
    """With a scale exactly that many digits after the point, without one no trailing zeros."""
    if scale is None:
        return _decode_decimal
    fraction = rf"\.\d{{{scale}}}" if scale > 0 else ""
    usual = re.compile(rf"-?(?:0|[1-9]\d*){fraction}", re.ASCII)

    def decode(value: Carrier) -> Json:
        if isinstance(value, str) and usual.fullmatch(value):
            return value.lstrip("-") if not value.strip("-0.") else value
        number = _number_from(value)
        return number if not isinstance(number, Decimal) else _rounded(number, max(scale, 0))

    return decode


def _decode_decimal(value: Carrier) -> Json:
    number = _number_from(value)
    return plain_text(number) if isinstance(number, Decimal) else number


def _number_from(value: Carrier) -> Decimal | Json:
    """The number, or the JSON value to answer when the carrier holds none."""
    if value is None or isinstance(value, bool | bytes):
        return decode_stored(value)
    text = str(value)
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    return None if _NOT_FINITE.fullmatch(text) else value


def plain_text(number: Decimal) -> str:
    """Without exponent, trailing zeros or the sign of zero."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.lstrip("-") if not number else text


def _rounded(number: Decimal, scale: int) -> str:
    # Half away from zero, as PostgreSQL rounds when it stores.
    context = Context(prec=max(number.adjusted(), 0) + scale + 9)
    rounded = number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, context)
    return format(rounded if rounded else abs(rounded), "f")


def decode_bytes(value: Carrier) -> Json:
    if not isinstance(value, str):
        return decode_stored(value)
    try:
        return b64encode(bytes.fromhex(value)).decode()
    except ValueError:
        return value


def decode_datetime(value: Carrier) -> Json:
    """RFC 3339 in UTC; a moment without an offset is taken as UTC."""
    if value is None:
        return None
    try:
        moment = _moment(value)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except _UNFIT:
        return decode_stored(value)
    return moment.isoformat() + "Z"


def _moment(value: Carrier) -> datetime:
    # Without the check "20260131" and other forms Python knows would pass for a date.
    if not isinstance(value, str) or not _ISO_START.match(value):
        raise ValueError("not a date and time")
    return datetime.fromisoformat(value)


def decode_date(value: Carrier) -> Json:
    """A date; SQLite columns of that type often hold a date and midnight, which is one too."""
    if value is None:
        return None
    try:
        moment = _moment(value)
    except _UNFIT:
        return decode_stored(value)
    return value if moment.time() != time() else moment.date().isoformat()


def decode_time(value: Carrier) -> Json:
    if not isinstance(value, str):
        return decode_stored(value)
    try:
        return time.fromisoformat(value).isoformat()
    except ValueError:
        return value


def decode_time_with_offset(value: Carrier) -> Json:
    """RFC 3339 with the offset that is stored; without one it is UTC."""
    if not isinstance(value, str):
        return decode_stored(value)
    try:
        moment = time.fromisoformat(value)
    except ValueError:
        return value
    return (
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")
    )


def decode_interval(value: Carrier) -> Json:
    """ISO 8601 duration; PostgreSQL's months and years have no fixed length and stay as they are."""
    if not isinstance(value, str):
        return decode_stored(value)
    try:
        return duration_text(_span(value))
    except _UNFIT:
        return value


def _span(text: str) -> timedelta:
    if "P" not in text:
        return _moment(text) - _EPOCH
    if "Y" in text:
        raise ValueError("a calendar year")
    return timedelta_from(text)


def decode_uuid(value: Carrier) -> Json:
    if not isinstance(value, str) or len(value) != 32:
        return decode_stored(value)
    try:
        digits = bytes.fromhex(value).hex()
    except ValueError:
        return value
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def enum_decoder(values: Mapping[str, Json]) -> Decode:
    """values: stored text → JSON value of the member."""

    def decode(value: Carrier) -> Json:
        if isinstance(value, str):
            return values.get(value, value)
        return decode_stored(value)

    return decode


def decode_json(value: Carrier) -> Json:
    """The value inside; NaN and Infinity, which Python's json writes, become null."""
    if not isinstance(value, str):
        return decode_stored(value)
    try:
        loaded = orjson.loads(value)
    except orjson.JSONDecodeError:
        return _writable(value, lambda: json.loads(value, parse_constant=lambda _: None))
    if value.count("[") + value.count("{") < DEEP:
        return loaded
    return _writable(value, lambda: loaded)


def _writable(text: str, load: Callable[[], Json]) -> Json:
    """What load answers if it can be written again within an answer, else the text itself."""
    try:
        loaded = load()
        orjson.dumps(reduce(lambda inner, _: [inner], range(DEEPEST - DEEP), loaded))
    except (ValueError, TypeError, RecursionError):
        return text
    return loaded


def array_decoder(item: Callable[[Json], Json]) -> Decode:
    """item: text of one item → JSON value; arrays inside arrays are PostgreSQL's dimensions."""

    def decode(value: Carrier) -> Json:
        loaded = decode_json(value)
        return _decode_items(loaded, item) if isinstance(loaded, list) else loaded

    return decode


def _decode_items(items: list[Json], decode: Callable[[Json], Json]) -> list[Json]:
    return [
        _decode_items(item, decode) if isinstance(item, list) else decode(item) for item in items
    ]


def decode_integer_text(value: Json) -> Json:
    """An integer that arrives as text, as the items of an array do."""
    try:
        return int(value) if isinstance(value, str) else value
    except ValueError:
        return value


def decode_boolean_text(value: Json) -> Json:
    return {"t": True, "true": True, "f": False, "false": False}.get(value, value)


def decode_bytes_text(value: Json) -> Json:
    return decode_bytes(value.removeprefix("\\x")) if isinstance(value, str) else value
