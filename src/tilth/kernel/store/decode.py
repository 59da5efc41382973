"""A row of carriers → a JSON-ready mapping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tilth.errors import bad_parameter
from tilth.kernel.plan.shape import Doing, Granted

EXPANDED_ROWS = 10_000

GRANTED = ""
"""The member of a row that holds its Granted, where grants were asked; no field has this name."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """known: what holds for every row. asked: (doing, subject) and the place of its flag."""

    known: Granted
    asked: tuple[tuple[tuple[Doing, str], int], ...]


def granted(verdicts: Verdicts, carriers: Sequence[Any]) -> Granted:
    return verdicts.known.union(each for each, place in verdicts.asked if carriers[place])


@dataclass(frozen=True, slots=True)
class RowDecoder:
    """Where in a row of carriers each member of the answer is.

    fields: (name, place, decode). ones: (name, place of "there is one", decoder over the same row).
    lists: (name, place of the JSON array of rows, decoder of each, answer a list or its only row).
    verdicts: what the actor may do to the row, when that was asked.
    pieced: inside a JSON array, the row is an array of pieces (see block.py).
    """

    fields: tuple[tuple[str, int, Callable[[Any], Any]], ...]
    ones: tuple[tuple[str, int, RowDecoder], ...] = ()
    lists: tuple[tuple[str, int, RowDecoder, bool], ...] = ()
    verdicts: Verdicts | None = None
    pieced: bool = False


def decoded(decoder: RowDecoder, carriers: Sequence[Any]) -> Row:
    row = {name: decode(carriers[place]) for name, place, decode in decoder.fields}
    for name, place, one in decoder.ones:
        row[name] = decoded(one, carriers) if carriers[place] else None
    for name, place, each, many in decoder.lists:
        rows = _rows(name, carriers[place], each)
        row[name] = rows if many else (rows[0] if rows else None)
    if decoder.verdicts is not None:
        row[GRANTED] = granted(decoder.verdicts, carriers)
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
