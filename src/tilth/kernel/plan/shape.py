"""What will be read, complete, before any I/O: the shape decides the SQL, the values are bound to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tilth.kernel.plan.conditions import Condition
from tilth.kernel.plan.intent import Counting
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation


@dataclass(frozen=True, slots=True)
class Node:
    """One resource at one place of the answer. fields: names in answer order, all of them readable."""

    access: Access
    fields: tuple[str, ...]
    branches: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Branch:
    """A relation that is expanded below a node."""

    relation: Relation
    node: Node


@dataclass(frozen=True, slots=True)
class Hop:
    """One step along a to-one relation."""

    relation: Relation
    access: Access


@dataclass(frozen=True, slots=True)
class SortKey:
    """NULL sorts as the largest value, in both directions, on both databases."""

    hops: tuple[Hop, ...]
    access: Access
    field: str
    descending: bool
    nullable: bool


@dataclass(frozen=True, slots=True)
class Owner:
    """The visible parent row of a sub-collection; its key is in slots key_slots."""

    access: Access
    relation: Relation
    key_slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the ordered rows.

    kind: "first" from the start, "after"/"before" a cursor, "offset" by counting.
    nulls: for a cursor, which of its key values are NULL (they change the SQL, not only the values).
    key_slots: where the cursor's values are.
    """

    kind: Literal["first", "after", "before", "offset"] = "first"
    nulls: tuple[bool, ...] = ()
    key_slots: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadShape:
    """Everything about a read but its values: equal shapes share one compiled statement.

    key_slots: for one row, where the values of its key are; empty for a collection.
    """

    root: Node
    where: Condition | None = None
    order: tuple[SortKey, ...] = ()
    window: Window = Window()
    counting: Counting = "none"
    owner: Owner | None = None
    key_slots: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """A read, complete.

    fields: names of the root's fields to answer with; one row is always read whole, since its
        ETag covers every readable field.
    limit: rows wanted, at least 1. offset: rows skipped.
    binding: what a cursor into these rows is bound to.
    own_values: how many of the values are not the cursor's; the cursor's come last.
    """

    shape: ReadShape
    values: tuple[Any, ...]
    fields: tuple[str, ...]
    limit: int
    offset: int = 0
    binding: str = ""
    own_values: int = 0
