"""What will be changed, complete, before any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tilth.kernel.policy.access import Access, Rights
from tilth.kernel.policy.actor import ANONYMOUS, Actor
from tilth.kernel.schema.resource import Relation, Resource, ToOne

Action = Literal["create", "update", "delete", "link", "unlink"]
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that has to be there, and what the actor may do with rows like it."""

    rights: Rights
    key: Key


@dataclass(frozen=True, slots=True)
class Reference:
    """Fields by which the actor has chosen a row.

    targets: the rows there are to choose, for each way that may lead to it.
    """

    to_one: ToOne
    targets: tuple[Access, ...]

    def is_among(self, names: AbstractSet[str]) -> bool:
        return not names.isdisjoint(self.to_one.local)


@dataclass(frozen=True, slots=True)
class Links:
    """Rows to link along a many-to-many relation.

    instead: of those linked before, as far as the actor may see them.
    """

    relation: Relation
    targets: tuple[Row, ...]
    instead: bool


@dataclass(frozen=True, slots=True)
class Children:
    """Rows to create below a new one, their foreign keys still without its key."""

    relation: Relation
    plans: tuple[WritePlan, ...]


@dataclass(frozen=True, slots=True)
class WritePlan:
    """One change of one row.

    key: of the row; of a new one it is known only when it is stored. values: field → Python value,
        those that will be written and no others.
    references: where the row, as it will be, must lead to a row that the actor may read.
    owner: the row whose sub-collection a new one is created in, with the relation; for link and
        unlink the row at the near end.
    if_match: entity tags of which one must be the row's, "*" for any; None without a condition.
    if_none_match: entity tags of which none may be the row's, "*" for any.
    pointer: where in the request the row is described, such as "/lines/0".
    trusted: names of values that the developer's own code has set, whatever the actor may do.
    patches: names of values that are merge patches of what the row holds (RFC 7396).
    actor: who asks, for the developer's own functions, which are the only ones that need it here.
    """

    action: Action
    rights: Rights
    key: Key = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    links: tuple[Links, ...] = ()
    children: tuple[Children, ...] = ()
    owner: tuple[Row, Relation] | None = None
    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    pointer: str = ""
    trusted: frozenset[str] = frozenset()
    patches: frozenset[str] = frozenset()
    actor: Actor = ANONYMOUS

    @property
    def resource(self) -> Resource:
        return self.rights.access.resource

    def with_values(self, **values: Any) -> WritePlan:
        """The same plan, writing these as well. What was a patch of JSON is one still."""
        return replace(self, values={**self.values, **values})
