"""A policy as it applies to one actor: which rows, which fields."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement

from tilth.kernel.policy.fold import Folded
from tilth.kernel.policy.policy import Action, Policy
from tilth.kernel.schema.resource import Field, Resource

Rows = Literal["all", "some", "none"]


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """What one actor may read of one resource.

    The same object for every actor whom the rules treat alike, so that statements can be shared;
    what differs between such actors (me.id, me.tenant, me.roles) stays a parameter of the SQL.

    rows: "all", "none", or "some": those where predicate is true (NULL is not true).
    fields: name → the field, only those readable.
    masked: name → SQL that is true on the rows where the field may be read.
    role_slots: how many parameters `me.roles` takes in the SQL.
    """

    resource: Resource
    key: Hashable
    rows: Rows
    predicate: ColumnElement[bool] | None
    fields: Mapping[str, Field]
    masked: Mapping[str, ColumnElement[Any]]
    role_slots: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Rights:
    """What one actor may change of one resource; shared between actors as Access is.

    rules: action → True, False, or SQL that is true on the rows it is allowed for ("read" too).
    links: many-to-many relation → the same over the rows of its target; not every one has an entry.
    """

    access: Access
    policy: Policy
    rules: Mapping[Action, Folded]
    links: Mapping[str, Folded]

    def may(self, action: Action) -> bool:
        """Whether there can be a row for which the actor may."""
        return self.rules[action] is not False
