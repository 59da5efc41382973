"""Stored values and JSON values → one normal form each, to be compared.

Written apart from Tilth's own decoding on purpose: it is what that is checked against.
"""

import base64
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

Normal = Any

_LONG = re.compile(r"[0-9]{20,}")

_DURATION = re.compile(
    r"(-?)P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?"
    r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?"
)


def from_sqlite(raw: Any, kind: str) -> Normal:
    """raw: as sqlite3 hands it over, texts as bytes wrapped in Text."""
    if isinstance(raw, bytes):
        return raw if kind == "bytes" else base64.b64encode(raw).decode()
    if isinstance(raw, float) and not math.isfinite(raw):
        return None
    if kind == "bytes" and isinstance(raw, str):
        return raw.encode(errors="surrogateescape")
    if isinstance(raw, str):
        raw = raw.encode(errors="surrogateescape").decode(errors="replace")
    if kind == "decimal" and isinstance(raw, float):
        raw = f"{raw:.15g}"
    return normal(raw, kind)


def from_postgresql(text: str | None, kind: str) -> Normal:
    """text: as PostgreSQL writes the value."""
    if text is None:
        return None
    match kind:
        case "integer":
            return int(text)
        case "boolean":
            return text == "true"
        case "bytes":
            return bytes.fromhex(text.removeprefix("\\x"))
        case "float" | "decimal":
            number = Decimal(text)
            return normal(text, kind) if number.is_finite() else None
    return normal(text, kind)


def from_json(value: Any, kind: str) -> Normal:
    """value: a member of an answer."""
    if kind == "bytes" and isinstance(value, str):
        return base64.b64decode(value)
    if value is not None and (kind == "json" or kind.startswith("array")):
        return _written(value, kind)
    return normal(value, kind)


def normal(value: Any, kind: str) -> Normal:
    """What does not fit its kind is compared as it is."""
    if value is None:
        return None
    if kind == "json" or kind.startswith("array"):
        return _written(_loaded(value), kind)
    try:
        return _NORMAL.get(kind, _same)(value)
    except (ValueError, TypeError, InvalidOperation, OverflowError):
        return value


def _loaded(value: Any) -> Any:
    """Text with numbers that few readers of JSON can take stays text."""
    try:
        loaded = json.loads(value, parse_constant=lambda _: None)
        return value if any(len(digits) > 19 for digits in _LONG.findall(value)) else loaded
    except (ValueError, TypeError):
        return value


def _same(value: Any) -> Any:
    return value


def _moment(value: Any) -> Any:
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _day(value: Any) -> Any:
    moment = datetime.fromisoformat(value)
    return moment.date() if moment.time() == time() else value


def _clock(value: Any) -> Any:
    moment = time.fromisoformat(value)
    return moment.isoformat()


def _written(value: Any, kind: str) -> str | None:
    """JSON in one spelling. kind: of an array "array:" and the kind of its items."""
    if kind.startswith("array:"):
        value = _items(value, kind.removeprefix("array:"))
    return None if value is None else json.dumps(_plain_numbers(value), sort_keys=True, default=str)


def _items(value: Any, kind: str) -> Any:
    if isinstance(value, list):
        return [_items(each, kind) for each in value]
    if isinstance(value, str) and kind == "bytes":
        return (
            value.removeprefix("\\x") if value.startswith("\\x") else from_json(value, kind).hex()
        )
    return normal(value, kind)


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, float):
        return None if not math.isfinite(value) else int(value) if value == int(value) else value
    if isinstance(value, list):
        return [_plain_numbers(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain_numbers(each) for name, each in value.items()}
    return value


def _duration(value: Any) -> Any:
    found = _DURATION.fullmatch(value)
    if not found or found[2] or found[3]:
        return value
    days, hours, minutes = (int(found[place] or 0) for place in (4, 5, 6))
    total = timedelta(
        days=days, hours=hours, minutes=minutes, microseconds=int(Decimal(found[7] or 0) * 10**6)
    )
    return -total if found[1] else total


def _uuid(value: Any) -> Any:
    return value.replace("-", "").lower()


def _boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else value


_NORMAL: dict[str, Callable[[Any], Any]] = {
    "boolean": _boolean,
    "float": float,
    "decimal": lambda value: Decimal(str(value)),
    "datetime": _moment,
    "date": _day,
    "time": _clock,
    "interval": _duration,
    "uuid": _uuid,
}


def in_url(value: Normal, kind: str) -> str | None:
    """A normal value as a query takes it; None when it cannot be asked for."""
    match kind, value:
        case "boolean", bool():
            return str(value).lower()
        case "integer", int():
            return str(value)
        case "float", float():
            return repr(value)
        case "decimal", Decimal():
            return format(value, "f")
        case "text" | "uuid" | "enum" | "time", str() if (
            "\0" not in value and "\ufffd" not in value
        ):
            return value if kind != "uuid" else _dashed(value)
        case "datetime", datetime():
            return value.isoformat().replace("+00:00", "Z")
        case "date", date():
            return value.isoformat()
        case "bytes", bytes():
            return base64.b64encode(value).decode()
    return None


def _dashed(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
