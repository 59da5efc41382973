"""A column of carriers → a column of JSON values: Kind.decode for a whole page at once.

Nearly every column of a page holds nothing but usual forms. To see that takes a look at the column
as a whole, in C; to decode it value by value takes a call of Python for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from types import MappingProxyType, NoneType

from tilth.kernel.schema.decoders import (
    Carrier,
    Decode,
    Json,
    decode_boolean,
    decode_date,
    decode_datetime,
    decode_float,
    decode_stored,
    decode_uuid,
)

Column = Sequence[Carrier]
Usual = Callable[[Column], Sequence[Json] | None]
"""The column decoded, or None when it holds something else than the usual forms."""

_AS_STORED = frozenset({str, int, bool, NoneType})

# Days that the month of the year has.
_LEAP = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DAY = (
    r"(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"
    rf"|{_LEAP}-02-29)"
)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d"
_DAYS = re.compile(rf"(?:(?!0000){_DAY}\n)*+", re.ASCII)
_MOMENTS = re.compile(rf"(?:(?!0000){_DAY} {_CLOCK}(?:\.\d{{6}})?(?:\+00)?\n)*+", re.ASCII)


def decoded_column(decode: Decode, column: Column) -> Sequence[Json]:
    """The same as decode for each value."""
    usual = _USUAL.get(decode)
    found = usual(column) if usual is not None else None
    return [decode(value) for value in column] if found is None else found


def are_as_stored(carriers: Iterable[Carrier]) -> bool:
    """decode_stored would change none of them."""
    return _AS_STORED.issuperset(map(type, carriers))


def _stored(column: Column) -> Sequence[Json] | None:
    return column if are_as_stored(column) else None


def _booleans(column: Column) -> Sequence[Json] | None:
    kinds = set(map(type, column))
    if kinds <= {bool, NoneType}:
        return column
    return list(map(bool, column)) if kinds == {int} and {0, 1}.issuperset(column) else None


def _floats(column: Column) -> Sequence[Json] | None:
    """Numbers, or their texts as they stand in a JSON array."""
    carriers = _without_null(column)
    kinds = set(map(type, carriers))
    if kinds == {str}:
        return _floats_of_texts(column, carriers)
    if not kinds <= {float} or not all(map(isfinite, carriers)):  # type: ignore[arg-type]
        return None
    if 0.0 not in carriers:
        return column
    # It may be a negative zero, and SQLite has none.
    return [None if number is None else number + 0.0 for number in column]  # type: ignore[operator]


def _floats_of_texts(column: Column, texts: Column) -> Sequence[Json] | None:
    try:
        numbers = list(map(float, texts))  # type: ignore[arg-type]
    except ValueError:
        return None
    if len(numbers) < len(column) or not all(map(isfinite, numbers)):
        return None
    return numbers if 0.0 not in numbers else [number + 0.0 for number in numbers]


def _uuids(column: Column) -> Sequence[Json] | None:
    """With dashes, as PostgreSQL writes them."""
    texts = _texts(column)
    return column if texts is not None and 32 not in map(len, texts) else None


def _dates(column: Column) -> Sequence[Json] | None:
    texts = _texts(column)
    return column if texts is not None and _all_match(_DAYS, texts) else None


def _moments(column: Column) -> Sequence[Json] | None:
    texts = _texts(column)
    if texts is None or not _all_match(_MOMENTS, texts):
        return None
    return [None if text is None else _moment(text) for text in column]  # type: ignore[arg-type]


def _moment(text: str) -> str:
    fraction = text[19:26] if text[19:20] == "." and text[20:26] != "000000" else ""
    return f"{text[:10]}T{text[11:19]}{fraction}Z"


def _without_null(column: Column) -> Column:
    return [value for value in column if value is not None] if None in column else column


def _texts(column: Column) -> Sequence[str] | None:
    texts = _without_null(column)
    return texts if {str}.issuperset(map(type, texts)) else None  # type: ignore[return-value]


def _all_match(pattern: re.Pattern[str], texts: Iterable[str]) -> bool:
    """pattern: of any number of lines. A line break inside a text would make two of it."""
    joined = "\n".join((*texts, ""))
    return pattern.fullmatch(joined) is not None


_USUAL: Mapping[Decode, Usual] = MappingProxyType(
    {
        decode_stored: _stored,
        decode_boolean: _booleans,
        decode_float: _floats,
        decode_uuid: _uuids,
        decode_date: _dates,
        decode_datetime: _moments,
    }
)
