"""Condition → SQL over one source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    REAL,
    ColumnElement,
    Interval,
    Select,
    String,
    Text,
    and_,
    cast,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
)

from tilth.kernel.plan.conditions import All, Condition, Either, Not, Related, Test
from tilth.kernel.schema.types import is_short_float
from tilth.kernel.store.binds import NOTHING, Binds, bind_type
from tilth.kernel.store.instants import compared_as_text, is_standard_text, longest_spelling
from tilth.kernel.store.mixed import compared_as_shown, is_compared_as_shown
from tilth.kernel.store.source import Source, joined, value_of

Sql = ColumnElement[Any]


def sql_of(condition: Condition, source: Source, binds: Binds) -> Sql:
    match condition:
        case All(parts):
            return and_(*(sql_of(part, source, binds) for part in parts))
        case Either(parts):
            return or_(*(sql_of(part, source, binds) for part in parts))
        case Not(part):
            return not_(sql_of(part, source, binds))
        case Related():
            return _related(condition, source, binds)
        case Test():
            return _test(condition, source, binds)


def _related(condition: Related, source: Source, binds: Binds) -> Sql:
    """EXISTS, so that several matching rows never multiply the row they belong to."""
    there = joined(condition.relation, condition.access, source.find, binds)
    terms = [there.on]
    if condition.inner is not None:
        terms.append(sql_of(condition.inner, there.source, binds))
    found: Select[Any] = select(literal_column("1")).select_from(*there.rows).where(*terms)
    return exists(found.correlate_except(*there.rows))


def _test(test: Test, source: Source, binds: Binds) -> Sql:
    value = value_of(source, test.field)
    if test.lookup in ("isnull", "notnull"):
        is_null: Sql = value.is_(None)
        if test.access.fields[test.field].kind.name == "json":
            # The null of JSON, which SQLAlchemy writes for None, is answered as null too.
            is_null = or_(is_null, func.trim(cast(value, Text)) == literal_column("'null'"))
        return is_null if test.lookup == "isnull" else not_(is_null)
    if is_standard_text(value.type, binds.dialect):
        return compared_as_text(test, value, binds)
    if is_compared_as_shown(test, value):
        return compared_as_shown(test, value, binds)
    type_ = bind_type(test.access.fields[test.field].kind, value.type)
    given: list[Sql] = [binds.slot(slot, type_) for slot in test.slots]
    if binds.dialect.name == "mariadb" and isinstance(value.type, Interval):
        # Held as moments after 1970, and those that can be written end before the intervals do.
        given = [binds.slot(slot, String(), longest_spelling) for slot in test.slots]
    if binds.dialect.name == "postgresql" and is_short_float(value.type):
        # Compared as 8 bytes, a stored 1.1 would not be the 1.1 that was answered.
        given = [cast(each, REAL) for each in given]
    return _compared(test, value, given, binds)


def _compared(test: Test, value: Sql, given: list[Sql], binds: Binds) -> Sql:
    match test.lookup:
        case "in":
            return value.in_(given) if given else NOTHING
        case "range":
            return value.between(given[0], given[1])
        case lookup if lookup in _OPERATORS:
            compared: Sql = _OPERATORS[lookup](value, given[0])
            return compared
    lower = func.tilth_lower if binds.dialect.name == "sqlite" else func.lower
    if test.lookup.startswith("i"):
        return _matched(test.lookup[1:], lower(value), lower(given[0]), binds.dialect.name)
    return _matched(test.lookup, value, given[0], binds.dialect.name)


_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {"exact": eq, "ne": ne, "lt": lt, "lte": le, "gt": gt, "gte": ge}
)


def _matched(lookup: str, value: Sql, part: Sql, dialect_name: str) -> Sql:
    """Part of a text, by functions: LIKE has wildcards, and on SQLite it ignores ASCII case."""
    is_postgresql = dialect_name == "postgresql"
    if dialect_name == "mariadb" and lookup in ("startswith", "endswith"):
        end = func.left if lookup == "startswith" else func.right
        return end(value, func.char_length(part)) == part
    match lookup:
        case "exact":
            return value == part
        case "contains":
            return (func.strpos if is_postgresql else func.instr)(value, part) > 0
        case "startswith" if is_postgresql:
            return func.starts_with(value, part)
        case "startswith":
            return func.substr(value, 1, func.length(part)) == part
        case "endswith" if is_postgresql:
            return func.right(value, func.length(part)) == part
    return func.substr(value, -func.length(part)) == part
