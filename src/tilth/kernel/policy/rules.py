"""The words policies are written in: leaf rules and `me`, all of them SQL expressions.

Being expressions they combine with a model's own columns by `& | ~`:

    (Hero.owner_id == me.id) | role("admin")

Leaf rules are decided from the actor alone, before any SQL is made (policy/rulebook.py);
`me.id` and `me.tenant` stay parameters, so that actors can share a statement.
"""

from typing import Any

from sqlalchemy import BindParameter, Boolean, ColumnElement, bindparam
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import inv

from tilth.kernel.policy.actor import Actor


class Rule(ColumnElement[bool]):
    """A leaf that the actor alone decides. wording: as the developer wrote it."""

    inherit_cache = False
    type = Boolean()
    _traverse_internals: list[Any] = []  # noqa: RUF012 (SQLAlchemy's own declaration)

    def __init__(self, wording: str) -> None:
        self.wording = wording

    def holds_for(self, actor: Actor) -> bool:
        raise NotImplementedError

    # SQLAlchemy would otherwise write "rule = 1" and "rule = 0" for a database without booleans,
    # and these are not steps that can be folded.
    def self_group(self, against: object = None) -> "Rule":
        return self

    def _negate(self) -> ColumnElement[bool]:
        return UnaryExpression(self, operator=inv)


class Public(Rule):
    def holds_for(self, actor: Actor) -> bool:
        return True


class SignedIn(Rule):
    def holds_for(self, actor: Actor) -> bool:
        return actor.is_signed_in


class Role(Rule):
    def __init__(self, name: str) -> None:
        super().__init__(f"role({name!r})")
        self.name = name

    def holds_for(self, actor: Actor) -> bool:
        return self.name in actor.roles


class Owner(ColumnElement[bool]):
    """`field == me.id`, for a field that is only known by name until the model is mapped."""

    inherit_cache = False
    type = Boolean()
    _traverse_internals: list[Any] = []  # noqa: RUF012 (SQLAlchemy's own declaration)

    def __init__(self, field: str) -> None:
        self.field = field
        self.wording = f"owner({field!r})"


class Me:
    """The actor inside a policy: each attribute is a parameter of the SQL.

    id, tenant: text, converted to the type of the column they are compared with; what cannot be
    converted, and nobody's id, compare as NULL, which denies. roles: for `column.in_(me.roles)`.
    """

    @property
    def id(self) -> BindParameter[Any]:
        return bindparam("me_id", None)

    @property
    def tenant(self) -> BindParameter[Any]:
        return bindparam("me_tenant", None)

    @property
    def roles(self) -> BindParameter[Any]:
        return bindparam("me_roles", None, expanding=True)


me = Me()
public = Public("public")
signed_in = SignedIn("signed_in")


def role(name: str) -> ColumnElement[bool]:
    """True for actors who hold the role."""
    return Role(name)


def owner(field: str) -> ColumnElement[bool]:
    """True for rows whose field equals `me.id`."""
    return Owner(field)
