"""The tree of a filter as it was written: names and values are still text."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str, ...]
"""Names that lead from a row to a field or relation: ("team", "name")."""

Value = str | tuple[str, ...]
"""What was written: one text; a tuple of texts for `in` (any number) and `range` (two)."""


@dataclass(frozen=True, slots=True)
class Compare:
    """One field against a value.

    lookup: as in `?age__gte=18`: exact, ne, gte, in, isnull … value: for isnull, "true" or "false".
    """

    path: Path
    lookup: str
    value: Value


@dataclass(frozen=True, slots=True)
class And:
    """parts: two or more."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """parts: two or more."""

    parts: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Negate:
    part: Expr


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one row at the end of path satisfies inner, whose names start from that row.

    inner: None when it is enough that a row exists.
    """

    path: Path
    inner: Expr | None


Expr = Compare | And | Or | Negate | AnyOf
