"""CSV (RFC 4180) → rows as JSON values, the way back from what a GET answers as CSV."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from tilth.errors import BadRequest, Fault
from tilth.kernel.plan.size import MOST_ROWS
from tilth.kernel.schema.resource import Field
from tilth.runtime.web.json import JsonLimits, parse_json

Cell = str | None
"""None: empty, and not between quotes."""

_CELL = re.compile(r'(?:"((?:[^"]|"")*+)"|([^",\r\n]*+))(,|\r\n|\n|\r|\Z)')


def rows_from_csv(
    body: bytes, fields: Mapping[str, Field], limits: JsonLimits
) -> list[dict[str, Any]]:
    """The first line names the fields. Raises BadRequest for what is not such a table.

    An empty cell is null where the field may be null, and otherwise as if it were not there; `""`
    is empty text. Numbers, booleans, lists and the like are their JSON text.
    """
    try:
        lines = _lines(body.decode("utf-8-sig"))
    except UnicodeDecodeError as exc:
        raise _bad_csv("The body is not UTF-8.") from exc
    header = [cell or "" for cell in next(lines, [])]
    if not header or "" in header or len(set(header)) < len(header):
        raise _bad_csv("The first line is to name the fields, each once.")
    # One more than may be, so that who counts them finds that they are too many.
    rows = islice(lines, MOST_ROWS + 1)
    return [_row(place, header, cells, fields, limits) for place, cells in enumerate(rows)]


def _lines(text: str) -> Iterator[list[Cell]]:
    """Empty lines do not count."""
    line: list[Cell] = []
    at = 0
    while at < len(text):
        found = _CELL.match(text, at)
        if found is None:
            number = text.count("\n", 0, at) + 1
            raise _bad_csv(f"A quote is misplaced or never closed, in line {number}.")
        quoted, bare, end = found.groups()
        line.append((bare or None) if quoted is None else quoted.replace('""', '"'))
        at = found.end()
        if end != ",":
            if line != [None]:
                yield line
            line = []
        elif at == len(text):
            yield [*line, None]


def _row(
    place: int,
    header: Sequence[str],
    cells: Sequence[Cell],
    fields: Mapping[str, Field],
    limits: JsonLimits,
) -> dict[str, Any]:
    if len(cells) != len(header):
        detail = f"Row {place} has {len(cells)} cells, and the first line {len(header)}."
        raise _bad_csv(detail, f"/{place}")
    return dict(chain.from_iterable(
        _member(place, name, cell, fields.get(name), limits)
        for name, cell in zip(header, cells, strict=True)
    ))  # fmt: skip


def _member(
    place: int, name: str, cell: Cell, field: Field | None, limits: JsonLimits
) -> Iterator[tuple[str, Any]]:
    if field is None:
        # It is wrong in every row, and told once.
        if place == 0:
            # Never null, which a relation of that name would take.
            yield name, cell or ""
    elif cell is not None:
        yield name, _value(field, cell, limits)
    elif field.takes_null:
        yield name, None


def _value(field: Field, cell: str, limits: JsonLimits) -> Any:
    """A cell that is not of its field's kind stays text, and is refused as that."""
    match field.kind.name:
        case "boolean" | "integer":
            return _parsed(field, cell)
        case "float" | "json" | "array":
            return _json(cell, limits)
        case "enum":
            named = {str(each).lower(): each for each in field.kind.json_schema["enum"]}
            return cell if cell in named.values() else named.get(cell.lower(), cell)
    return cell


def _parsed(field: Field, cell: str) -> Any:
    """Spreadsheets write TRUE."""
    try:
        return field.kind.parse(cell.strip().lower())
    except ValueError:
        return cell


def _json(cell: str, limits: JsonLimits) -> Any:
    try:
        parse_json(cell.encode(), limits)
    except BadRequest:
        return cell
    return json.loads(cell, parse_float=Decimal)


def _bad_csv(detail: str, pointer: str = "") -> BadRequest:
    return BadRequest(detail, code="bad_csv", faults=[Fault(pointer, "bad_csv", detail)])
