"""A row of carriers → a JSON-ready mapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tilth.errors import bad_parameter

EXPANDED_ROWS = 10_000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RowDecoder:
    """Where in a row of carriers each member of the answer is.

    fields: (name, place, decode). ones: (name, place of "there is one", decoder over the same row).
    lists: (name, place of the JSON array of rows, decoder of each, answer a list or its only row).
    pieced: inside a JSON array, the row is an array of pieces (see block.py).
    """

    fields: tuple[tuple[str, int, Callable[[Any], Any]], ...]
    ones: tuple[tuple[str, int, RowDecoder], ...] = ()
    lists: tuple[tuple[str, int, RowDecoder, bool], ...] = ()
    pieced: bool = False


def decoded(decoder: RowDecoder, carriers: Sequence[Any]) -> Row:
    row = {name: decode(carriers[place]) for name, place, decode in decoder.fields}
    for name, place, one in decoder.ones:
        row[name] = decoded(one, carriers) if carriers[place] else None
    for name, place, each, many in decoder.lists:
        rows = _rows(name, carriers[place], each)
        row[name] = rows if many else (rows[0] if rows else None)
    return row


def _rows(name: str, carrier: Any, each: RowDecoder) -> list[Row]:
    found = orjson.loads(carrier) if isinstance(carrier, str | bytes) else carrier
    if len(found) > EXPANDED_ROWS:
        detail = (
            f"{name!r} has more than {EXPANDED_ROWS} rows here, too many to expand. "
            "Read them page by page from the sub-collection's own address."
        )
        raise bad_parameter("expand", "too_many", detail)
    if each.pieced:
        found = [[carrier for piece in row for carrier in piece] for row in found]
    return [decoded(each, row) for row in found]
