"""What the developer declares for one model: who may do what to which rows and fields."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement

Action = Literal["read", "create", "update", "delete"]
Rule = ColumnElement[bool]


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Rules by action; an action without a rule is denied.

    read, create, update, delete: boolean SQL over the model, leaf rules (`public`, `signed_in`,
        `role("admin")`, `owner("owner_id")`) and `me`, combined by `& | ~`. NULL denies.
    write: stands for create, update and delete where these are not given.
    hidden: fields nobody may read. read_only: fields nobody may write.
    write_once: fields that are set at creation and never after.
    fields: name → rule under which the field may be read; a rule over columns masks the field row
        by row (it reads as null), a rule over the actor alone hides it altogether.
    preset: name → value taken from the actor at creation; a value sent by the client is refused.
    link: many-to-many relation → rule over the other side's rows under which they may be linked to
        a row that the actor may update; where none is given, the other side's own update rule.
    where: "file.py:12", where it was made.
    """

    read: Rule | None = None
    create: Rule | None = None
    update: Rule | None = None
    delete: Rule | None = None
    write: Rule | None = None
    hidden: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    write_once: tuple[str, ...] = ()
    fields: Mapping[str, Rule] = field(default_factory=dict)
    preset: Mapping[str, Any] = field(default_factory=dict)
    link: Mapping[str, Rule] = field(default_factory=dict)
    where: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        # Behind the __init__ that dataclass writes.
        caller = sys._getframe(2)
        object.__setattr__(self, "where", f"{caller.f_code.co_filename}:{caller.f_lineno}")

    def rule(self, action: Action) -> Rule | None:
        """The rule that decides action, or None when it is denied to everyone."""
        own: Rule | None = getattr(self, action)
        return self.write if own is None and action != "read" else own
