"""A text of a request, over a column of SQLite that holds texts and numbers side by side.

What is shown as 5 is asked for as "5": where SQLite does not convert between the two by itself,
because the column declares no type, both are looked for.
"""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import ColumnElement
from sqlalchemy.types import NullType

from tilth.kernel.plan.conditions import Test
from tilth.kernel.schema.types import MixedText
from tilth.kernel.store.binds import NOTHING, Binds

Sql = ColumnElement[Any]

_EQUALITIES = frozenset({"exact", "ne", "in"})


def is_compared_as_shown(test: Test, value: Sql) -> bool:
    return isinstance(value.type, MixedText) and test.lookup in _EQUALITIES


def compared_as_shown(test: Test, value: Sql, binds: Binds) -> Sql:
    both = [spelling for slot in test.slots for spelling in spellings(slot, binds)]
    if test.lookup == "ne":
        return value.not_in(both)
    return value.in_(both) if both else NOTHING


def spellings(slot: int, binds: Binds) -> list[Sql]:
    """The text, and the number that is written so."""
    return [binds.slot(slot, MixedText()), binds.slot(slot, NullType(), number_from)]


def number_from(text: str) -> str | int | float:
    """The text itself when no number is written so in JSON, as "007" or "5.0"."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and orjson.dumps(value) == text.encode() else text
