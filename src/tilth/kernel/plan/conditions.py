"""What a row must satisfy, with every name looked up and every value put aside in a slot.

A condition holds no values, so two requests that differ only in values have equal conditions
and share one compiled statement.
"""

from __future__ import annotations

from dataclasses import dataclass

from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation


@dataclass(frozen=True, slots=True)
class Test:
    """One field against its values.

    slots: indexes into ReadPlan.values; for "in" as many as the next power of two, the last value
    repeated, so that lists of different lengths share statements; none for an empty list and isnull.
    lookup: as in the URL, but "isnull" with false is "notnull".
    """

    access: Access
    field: str
    lookup: str
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Related:
    """At least one row of the relation that the actor may read satisfies inner (or merely exists)."""

    relation: Relation
    access: Access
    inner: Condition | None


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


Condition = Test | Related | All | Either | Not
