"""What will be read, complete, before any I/O: the shape decides the SQL, the values are bound to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from tilth.kernel.plan.conditions import Condition
from tilth.kernel.plan.intent import Counting
from tilth.kernel.policy.access import Access, Rights
from tilth.kernel.policy.fold import Folded
from tilth.kernel.schema.resource import Relation

Doing = Literal["update", "delete", "unlink", "read"]
Granted = frozenset[tuple[Doing, str]]
"""What the actor may do to one row: of each grant that holds, doing and subject."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Something that the actor may do to some rows and not to others, asked of each row read.

    doing: "update" and "delete" the row, "read" its field named subject, "unlink" it along the
        many-to-many relation named subject, by a rule of the row at the near end.
    """

    rights: Rights
    doing: Doing
    subject: str = ""

    @property
    def key(self) -> tuple[Doing, str]:
        return self.doing, self.subject

    @property
    def rule(self) -> Folded:
        match self.doing:
            case "read":
                return self.rights.access.masked[self.subject]
            case "unlink":
                return self.rights.links[self.subject]
        return self.rights.rules[self.doing]


def known_of(grants: Iterable[Grant]) -> Granted:
    """Those that hold for every row."""
    return frozenset(grant.key for grant in grants if grant.rule is True)


@dataclass(frozen=True, slots=True)
class Node:
    """One resource at one place of the answer.

    fields: names in answer order, all of them readable. grants: asked of each row.
    """

    access: Access
    fields: tuple[str, ...]
    branches: tuple[Branch, ...] = ()
    grants: tuple[Grant, ...] = ()


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
    grants: tuple[Grant, ...] = ()


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
    _hash: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def __hash__(self) -> int:
        """Computed once: a plan that is kept looks its statement up with every request."""
        if not self._hash:
            parts = (self.root, self.where, self.order, self.window, self.counting)
            self._hash.append(hash((*parts, self.owner, self.key_slots)))
        return self._hash[0]


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
