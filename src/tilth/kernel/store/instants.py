"""Dates with time, times and intervals on SQLite: text, with or without digits after the second.

SQLAlchemy writes six digits, other programs none or three. In text order every spelling of one
instant lies between its shortest and its longest, so a comparison with these two is right for all,
and an index still serves.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, DateTime, String, Time, not_, or_
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from tilth.kernel.plan.conditions import Test
from tilth.kernel.store.binds import NOTHING, Binds

Sql = ColumnElement[Any]
Stored = datetime | time | timedelta

_EPOCH = datetime(1970, 1, 1)


def is_standard_text(type_: TypeEngine[Any], dialect: Dialect) -> bool:
    """A date with time, a time or an interval that SQLite holds in SQLAlchemy's own spelling."""
    if dialect.name != "sqlite":
        return False
    impl = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    has_own_spelling = "_storage_format" in vars(impl)
    return isinstance(impl, DateTime | Time) and not has_own_spelling


def compared_as_text(test: Test, value: Sql, binds: Binds) -> Sql:
    first = [binds.slot(slot, String(), shortest_spelling) for slot in test.slots]
    last = [binds.slot(slot, String(), longest_spelling) for slot in test.slots]
    match test.lookup:
        case "lt":
            return value < first[0]
        case "lte":
            return value <= last[0]
        case "gt":
            return value > last[0]
        case "gte":
            return value >= first[0]
        case "range":
            return value.between(first[0], last[1])
        case "ne":
            return not_(value.between(first[0], last[0]))
    spans = [value.between(*span) for span in zip(first, last, strict=True)]
    return or_(*spans) if spans else NOTHING


def longest_spelling(value: Stored) -> str:
    """As SQLAlchemy writes it: "2026-01-31 23:59:59.000000"; in UTC when the instant has a zone.

    An interval is the moment that long after 1970 began.
    """
    if isinstance(value, time):
        return value.replace(tzinfo=None).isoformat("microseconds")
    instant = _after_epoch(value) if isinstance(value, timedelta) else value
    plain = instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant
    return plain.isoformat(" ", "microseconds")


def _after_epoch(span: timedelta) -> datetime:
    """No stored interval is longer than the years that can be written, so the last one will do."""
    try:
        return _EPOCH + span
    except OverflowError:
        farthest = date.max if span > timedelta() else date.min
        return datetime.combine(farthest, time.max)


def shortest_spelling(value: Stored) -> str:
    """No zeros at the end of the fraction, and a date alone for midnight."""
    whole, _, fraction = longest_spelling(value).partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole.removesuffix(" 00:00:00")
