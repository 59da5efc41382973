"""Chunks of rows → the bytes of CSV (RFC 4180) and NDJSON, one chunk at a time."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import orjson

from tilth.kernel.plan.shape import Node

Row = Mapping[str, Any]
Chunk = Sequence[Row]
Column = tuple[str, ...]
"""Names from the row to the value: ("team", "name") is headed `team.name`."""

Item = TypeVar("Item")

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
HAL = "application/hal+json"
HAL_FORMS = "application/prs.hal-forms+json"

DOCUMENTS = (JSON, HAL, HAL_FORMS)
"""How one row is represented."""

_QUOTED = frozenset(',"\r\n')


def columns_of(node: Node, fields: Sequence[str]) -> tuple[Column, ...]:
    """The CSV columns of rows answered by node, of whose own fields only these are shown.

    A to-one expansion becomes columns of its own, a to-many one a single column.
    """
    own = [(name,) for name in fields]
    return tuple(chain(own, _columns_below(node)))


async def csv_lines(rows: AsyncIterator[Chunk], columns: Sequence[Column]) -> AsyncIterator[bytes]:
    """A header line, then a line per row, all ended by CRLF; UTF-8 without a byte order mark.

    NULL is an empty cell, empty text is `""`. Text is as it is; every other value is its JSON text.
    In a file of one column NULL is `""` too: an empty line would be skipped by most readers.
    """
    empty = '""' if len(columns) == 1 else ""
    yield f"{','.join(_cell('.'.join(column), empty) for column in columns)}\r\n".encode()
    async for chunk in rows:
        lines = (",".join(_cell(_value(row, c), empty) for c in columns) for row in chunk)
        yield "".join(f"{line}\r\n" for line in lines).encode()


async def ndjson_lines(rows: AsyncIterator[Chunk]) -> AsyncIterator[bytes]:
    """A JSON object per line, each ended by LF."""
    async for chunk in rows:
        yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in chunk)


async def begun(chunks: AsyncIterator[Item]) -> AsyncIterator[Item]:
    """The same chunks, the first of them already fetched.

    A failure to fetch it is raised here, while the answer can still have an error status.
    """
    try:
        first = await anext(chunks)
    except StopAsyncIteration:
        return _resumed((), chunks)
    return _resumed((first,), chunks)


async def _resumed(first: Sequence[Item], rest: AsyncIterator[Item]) -> AsyncIterator[Item]:
    for chunk in first:
        yield chunk
    async for chunk in rest:
        yield chunk


def _columns_below(node: Node) -> Iterator[Column]:
    for branch in node.branches:
        name = branch.relation.name
        if branch.relation.many:
            yield (name,)
        else:
            for column in columns_of(branch.node, branch.node.fields):
                yield (name, *column)


def _value(row: Row, column: Column) -> Any:
    value: Any = row
    for name in column:
        if value is None:
            return None
        value = value[name]
    return value


def _cell(value: Any, empty: str) -> str:
    if value is None:
        return empty
    if not isinstance(value, str):
        text = orjson.dumps(value).decode()
    elif value:
        text = value
    else:
        return '""'
    return text if _QUOTED.isdisjoint(text) else f'"{text.replace(chr(34), chr(34) * 2)}"'
