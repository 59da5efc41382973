"""Sort keys → ORDER BY, and the condition "after this row" over any mix of directions and NULLs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    DECIMAL,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    String,
    Text,
    and_,
    cast,
    false,
    or_,
    tuple_,
)
from sqlalchemy.sql.operators import desc_op, nulls_first_op, nulls_last_op
from sqlalchemy.types import Enum, NullType, TypeDecorator, TypeEngine

from tilth.kernel.plan.shape import SortKey, Window
from tilth.kernel.store.binds import Binds, bind_type

Sql = ColumnElement[Any]

WIDEST_DECIMAL = (65, 30)
"""Digits, and how many of them after the point, of MariaDB's widest decimal."""


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key in the direction of reading. NULL counts as the largest value.

    bound: the type of what it is compared with.
    """

    value: Sql
    bound: TypeEngine[Any]
    descending: bool
    nullable: bool


def read_backwards(keys: Sequence[Key]) -> list[Key]:
    return [replace(key, descending=not key.descending) for key in keys]


def key_of(sort: SortKey, value: Sql, binds: Binds) -> Key:
    value = sortable(value, binds.dialect.name)
    bound = bind_type(sort.access.fields[sort.field].kind, value.type)
    return Key(value, bound, sort.descending, sort.nullable)


def sortable(value: Sql, dialect_name: str) -> Sql:
    """PostgreSQL and MariaDB order their enums as declared; SQLite, which has none, as text: so do all."""
    is_enum = dialect_name != "sqlite" and isinstance(value.type, Enum)
    return cast(value, Text) if is_enum else value


def ordered(key: Key, dialect_name: str) -> Sql:
    ordering = key.value.desc() if key.descending else key.value.asc()
    return nulls_largest(ordering, dialect_name) if key.nullable else ordering


def nulls_largest(term: Sql, dialect_name: str) -> Sql:
    """A term of ORDER BY, unless it says itself where NULL goes.

    PostgreSQL's own order has NULL largest; saying so again would keep it from some indexes.
    """
    modifier = getattr(term, "modifier", None)
    if dialect_name == "postgresql" or modifier in (nulls_first_op, nulls_last_op):
        return term
    return term.nulls_first() if modifier is desc_op else term.nulls_last()


def beyond(keys: Sequence[Key], window: Window, binds: Binds) -> Sql:
    """True for rows that come after the cursor's row in the direction of reading."""
    bounds = [
        None if is_null else cursor_bind(slot, key, binds)
        for key, slot, is_null in zip(keys, window.key_slots, window.nulls, strict=True)
    ]
    known = [bound for bound in bounds if bound is not None]
    if len(known) == len(keys) and _comparable_at_once(keys):
        ours, theirs = tuple_(*(key.value for key in keys)), tuple_(*known)
        return ours < theirs if keys[0].descending else ours > theirs
    steps = [
        and_(*map(_same, keys[:place], bounds[:place]), _past(keys[place], bounds[place]))
        for place in range(len(keys))
    ]
    return and_(*_first_bound(keys[0], bounds[0]), or_(*steps))


def cursor_bind(slot: int, key: Key, binds: Binds) -> Sql:
    """A cursor carries the stored value itself: on PostgreSQL as its text, on SQLite as it is."""
    if binds.dialect.name == "mariadb" and _is_decimal(key.value.type):
        # It would compare a decimal with a text as floats.
        return cast(binds.slot(slot, String()), DECIMAL(*WIDEST_DECIMAL))
    if binds.dialect.name == "postgresql":
        return cast(binds.slot(slot, Text()), key.bound)
    return binds.slot(slot, NullType())


def stored_key(value: Sql, dialect_name: str) -> Sql:
    """A sort key as a cursor carries it: exact on every database, whatever is stored."""
    is_number = isinstance(value.type, Integer | Float)
    if dialect_name == "sqlite" or (dialect_name == "mariadb" and is_number):
        return value
    return cast(value, Text)


def _is_decimal(type_: TypeEngine[Any]) -> bool:
    impl = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    return isinstance(impl, Numeric) and not isinstance(impl, Float)


def _comparable_at_once(keys: Sequence[Key]) -> bool:
    return not any(key.nullable for key in keys) and len({key.descending for key in keys}) == 1


def _first_bound(key: Key, bound: Sql | None) -> list[Sql]:
    """Says again, in one term an index can use, what the alternatives say together."""
    if key.nullable or bound is None:
        return []
    return [key.value <= bound if key.descending else key.value >= bound]


def _same(key: Key, bound: Sql | None) -> Sql:
    return key.value.is_(None) if bound is None else key.value == bound


def _past(key: Key, bound: Sql | None) -> Sql:
    if bound is None:
        return key.value.is_not(None) if key.descending else false()
    if key.descending:
        return key.value < bound
    return or_(key.value > bound, key.value.is_(None)) if key.nullable else key.value > bound
