"""Rows of carriers → JSON-ready mappings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, repeat
from typing import Any

import orjson

from tilth.errors import bad_parameter
from tilth.kernel.plan.shape import Doing, Granted
from tilth.kernel.schema.columns import are_as_stored, decoded_column
from tilth.kernel.schema.decoders import Decode, decode_stored

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
    stored: places of the fields that are answered as they are stored. others: the other fields.
    """

    fields: tuple[tuple[str, int, Decode], ...]
    ones: tuple[tuple[str, int, RowDecoder], ...] = ()
    lists: tuple[tuple[str, int, RowDecoder, bool], ...] = ()
    verdicts: Verdicts | None = None
    pieced: bool = False
    stored: tuple[int, ...] = field(init=False)
    others: tuple[tuple[str, int, Decode], ...] = field(init=False)

    def __post_init__(self) -> None:
        plain = [each for each in self.fields if each[2] is decode_stored]
        object.__setattr__(self, "stored", tuple(place for _, place, _ in plain))
        object.__setattr__(self, "others", tuple(e for e in self.fields if e not in plain))


def decoded(decoder: RowDecoder, rows: Sequence[Sequence[Any]]) -> list[Row]:
    """rows: of carriers, all of one length."""
    return _decoded(decoder, list(zip(*rows, strict=True)), len(rows)) if rows else []


def _decoded(decoder: RowDecoder, columns: Sequence[Sequence[Any]], count: int) -> list[Row]:
    members: dict[str, Sequence[Any]] = {name: columns[place] for name, place, _ in decoder.fields}
    usual = are_as_stored(chain.from_iterable(map(columns.__getitem__, decoder.stored)))
    for name, place, decode in decoder.others if usual else decoder.fields:
        members[name] = decoded_column(decode, columns[place])
    for name, place, one in decoder.ones:
        rows = _decoded(one, columns, count)
        is_there = columns[place]
        members[name] = [row if there else None for row, there in zip(rows, is_there, strict=True)]
    for name, place, each, many in decoder.lists:
        lists = _lists(name, columns[place], each)
        members[name] = lists if many else [rows[0] if rows else None for rows in lists]
    if decoder.verdicts is not None:
        members[GRANTED] = _all_granted(decoder.verdicts, columns, count)
    if not members:
        return [{} for _ in range(count)]
    # Every step is C: a comprehension would come back to Python for each row.
    return list(map(dict, map(zip, repeat(tuple(members)), zip(*members.values(), strict=True))))


def _all_granted(verdicts: Verdicts, columns: Sequence[Sequence[Any]], count: int) -> list[Granted]:
    asked = [(each, columns[place]) for each, place in verdicts.asked]
    return [verdicts.known.union(each for each, flags in asked if flags[at]) for at in range(count)]


def _lists(name: str, carriers: Sequence[Any], each: RowDecoder) -> list[list[Row]]:
    """The rows below every row of a column, all decoded at once and then dealt out again."""
    arrays = [orjson.loads(c) if isinstance(c, str | bytes) else c for c in carriers]
    if any(len(array) > EXPANDED_ROWS for array in arrays):
        detail = (
            f"{name!r} has more than {EXPANDED_ROWS} rows here, too many to expand. "
            "Read them page by page from the sub-collection's own address."
        )
        raise bad_parameter("expand", "too_many", detail)
    found = list(chain.from_iterable(arrays))
    if each.pieced:
        found = [list(chain.from_iterable(row)) for row in found]
    rows = iter(decoded(each, found))
    return [list(islice(rows, len(array))) for array in arrays]
