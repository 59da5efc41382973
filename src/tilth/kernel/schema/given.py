"""A Python value of the developer's code → the same value as a request would send it.

So that a lookup or a row means the same in code and over HTTP: one grammar, one validation.
A datetime without a time zone is taken as UTC, as everywhere.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from tilth.kernel.schema.decoders import Json
from tilth.kernel.schema.durations import duration_text
from tilth.kernel.schema.kinds import TEXT, Kind, KindName

_TYPES: Mapping[KindName, tuple[type, ...]] = MappingProxyType(
    {
        "boolean": (bool,),
        "integer": (int,),
        "float": (int, float, Decimal),
        "decimal": (int, Decimal),
        "bytes": (bytes,),
        "datetime": (datetime,),
        "date": (date,),
        "time": (time,),
        "interval": (timedelta,),
        "uuid": (UUID,),
        "enum": (enum.Enum, int, float),
    }
)
"""Beside text, which is read as in a URL."""


def text_given(kind: Kind, lookup: str, value: object) -> str:
    """The text that `?field__lookup=` would carry. Raises ValueError with what was expected."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if lookup == "isnull" and isinstance(value, bool):
        return _spelled(value)
    expected = _TYPES.get(kind.name, ())
    is_truth = isinstance(value, bool) and kind.name != "boolean"
    if lookup in TEXT or is_truth or not isinstance(value, expected):
        raise ValueError(f"Expected {_named(kind, lookup)}, not {type(value).__name__}.")
    return _spelled(json_given(value))


def _spelled(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _named(kind: Kind, lookup: str) -> str:
    return "text" if lookup in TEXT else f"a value for {kind.name}"


def json_given(value: Any, key_of: Callable[[Any], Json] | None = None) -> Any:
    """As JSON has it. key_of: the key of a mapped object, by which a body refers to a row.

    Raises ValueError for a value that no body can carry.
    """
    if value is None or isinstance(value, bool | int | float | str | Decimal):
        return value.value if isinstance(value, enum.Enum) else value
    for known, spell in _SPELLINGS:
        if isinstance(value, known):
            return spell(value)
    if isinstance(value, Mapping):
        return {str(name): json_given(each, key_of) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_given(each, key_of) for each in value]
    key = None if key_of is None else key_of(value)
    if key is None:
        raise ValueError(f"A {type(value).__name__} cannot be stored in a column.")
    return key


_SPELLINGS: tuple[tuple[type, Callable[[Any], Json]], ...] = (
    (enum.Enum, lambda value: value.value),
    (datetime, lambda value: (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()),
    (date, lambda value: value.isoformat()),
    (time, lambda value: value.isoformat()),
    (timedelta, duration_text),
    (UUID, str),
    (bytes, lambda value: base64.b64encode(value).decode()),
)


def texts_given(kind: Kind, lookup: str, value: object) -> tuple[str, ...]:
    """Of a lookup that takes several values, or one. Raises ValueError."""
    if lookup not in ("in", "range"):
        return (text_given(kind, lookup, value),)
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise ValueError(f"Expected several values in a list, not {type(value).__name__}.")
    return tuple(text_given(kind, "exact", each) for each in value)
