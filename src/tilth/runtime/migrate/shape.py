"""What a database looks like, in the words of its server: the same for two that are alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

ConstraintKind = Literal["primary key", "unique", "foreign key", "check", "exclude"]


@dataclass(frozen=True, slots=True)
class ColumnShape:
    """type, default, generated, identity, collation: text of the server, in its normal form.

    generated: with " stored" or " virtual" behind the expression.
    """

    name: str
    type: str
    nullable: bool
    default: str | None = None
    generated: str | None = None
    identity: str | None = None
    collation: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ConstraintShape:
    """name: what it is dropped by. is_named: not by the server.

    definition: all but the name. is_valid: the rows that were there before it are known to fit.
    """

    kind: ConstraintKind
    name: str
    columns: tuple[str, ...]
    definition: str
    is_named: bool = True
    is_valid: bool = True
    target: str | None = None


@dataclass(frozen=True, slots=True)
class IndexShape:
    """definition: all but the name: uniqueness, method, expressions, classes, order, condition.

    columns: those it is on, as far as they are plain columns.
    """

    name: str
    definition: str
    columns: tuple[str, ...] = ()
    is_unique: bool = False
    is_valid: bool = True


@dataclass(frozen=True, slots=True)
class TableShape:
    """name: with the schema before it when that is not the usual one.

    options: AUTOINCREMENT, WITHOUT ROWID, STRICT, storage parameters.
    """

    name: str
    columns: tuple[ColumnShape, ...] = ()
    constraints: tuple[ConstraintShape, ...] = ()
    indexes: tuple[IndexShape, ...] = ()
    options: str = ""
    comment: str | None = None

    def column(self, name: str) -> ColumnShape | None:
        return next((each for each in self.columns if each.name == name), None)

    @property
    def primary_key(self) -> tuple[str, ...]:
        found = (each.columns for each in self.constraints if each.kind == "primary key")
        return next(found, ())


@dataclass(frozen=True, slots=True)
class Shape:
    """A whole database. enums: named types and their values, in order.

    others: views, triggers, functions and sequences by kind and name; models do not tell of them.
    """

    tables: Mapping[str, TableShape] = field(default_factory=dict)
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)

    def without(self, tables: Iterable[str]) -> Shape:
        names = set(tables)
        kept = {name: each for name, each in self.tables.items() if name not in names}
        return replace(self, tables=kept)
