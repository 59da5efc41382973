"""The words policies are written in: leaf rules and `me`, all of them SQL expressions.

Being expressions they combine with a model's own columns by `& | ~`:

    (Hero.owner_id == me.id) | role("admin")

Leaf rules are decided from the actor alone, before any SQL is made (policy/rulebook.py);
`me.id` and `me.tenant` stay parameters, so that actors can share a statement.
"""

from datetime import timedelta
from typing import Any, NoReturn

from sqlalchemy import BindParameter, Boolean, ColumnElement
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import inv

from tilth.kernel.policy.actor import Actor
from tilth.kit.clock import now


def refused(rule: object, other: object = None) -> NoReturn:
    """Python's `and`, `or` and `not` would leave part of a rule out without a word."""
    raise TypeError("A rule has no truth value in Python. Combine rules by & | ~: (a) & (b).")


def unbracketed(rule: object, other: object) -> NoReturn:
    """In `age >= 18 | public`, Python reads `18 | public` first."""
    raise TypeError("Put each comparison in parentheses: (Hero.age >= 18) | public.")


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

    __bool__ = refused
    __ror__ = __rand__ = unbracketed


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


class Permission(Rule):
    def __init__(self, name: str) -> None:
        super().__init__(f"permission({name!r})")
        self.name = name

    def holds_for(self, actor: Actor) -> bool:
        return actor.permits(self.name)


class Assured(Rule):
    def __init__(self, level: int, max_age: float | None) -> None:
        aged = "" if max_age is None else f", max_age={max_age:g}"
        super().__init__(f"assured({level}{aged})")
        self.level, self.max_age = level, max_age

    def holds_for(self, actor: Actor) -> bool:
        return is_assured(actor, self.level, self.max_age)


def is_assured(actor: Actor, level: int, max_age: float | None = None) -> bool:
    """Whether the actor has proved who it is by so many factors, and not too long ago in seconds."""
    if actor.assurance < level:
        return False
    if max_age is None:
        return True
    proved = actor.authenticated_at
    return proved is not None and now() - proved <= timedelta(seconds=max_age)


class Owner(ColumnElement[bool]):
    """`field == me.id`, for a field that is only known by name until the model is mapped."""

    inherit_cache = False
    type = Boolean()
    _traverse_internals: list[Any] = []  # noqa: RUF012 (SQLAlchemy's own declaration)

    def __init__(self, field: str) -> None:
        self.field = field
        self.wording = f"owner({field!r})"

    __bool__ = refused
    __ror__ = __rand__ = unbracketed


class Identity(int):
    """The hash of a parameter of `me`; as any hash, except that comparing it is refused.

    SQLAlchemy answers bool(column == parameter) by comparing the hashes of both sides, so that
    `(Hero.owner_id == me.id) and ...` would be False, or its other half.
    """

    __hash__ = int.__hash__
    __eq__ = __ne__ = refused


class Asked(BindParameter[Any]):
    """A parameter that is filled in from the actor."""

    inherit_cache = True

    def __hash__(self) -> int:
        return Identity(super().__hash__())

    __bool__ = refused
    __or__ = __and__ = __ror__ = __rand__ = unbracketed


class Me:
    """The actor inside a policy: each attribute is a parameter of the SQL.

    id, tenant: text, converted to the type of the column they are compared with; what cannot be
    converted, and nobody's id, compare as NULL, which denies. roles: for `column.in_(me.roles)`.
    """

    @property
    def id(self) -> BindParameter[Any]:
        return Asked("me_id", None)

    @property
    def tenant(self) -> BindParameter[Any]:
        return Asked("me_tenant", None)

    @property
    def roles(self) -> BindParameter[Any]:
        return Asked("me_roles", None, expanding=True)


me = Me()
public = Public("public")
signed_in = SignedIn("signed_in")


def role(name: str) -> ColumnElement[bool]:
    """True for actors who hold the role."""
    return Role(name)


def permission(name: str) -> ColumnElement[bool]:
    """True for actors one of whose roles has the permission."""
    return Permission(name)


def assured(level: int, max_age: float | None = None) -> ColumnElement[bool]:
    """True for actors who have proved who they are by so many factors.

    max_age: in seconds, since they last did.
    """
    return Assured(level, max_age)


def owner(field: str) -> ColumnElement[bool]:
    """True for rows whose field equals `me.id`."""
    return Owner(field)
