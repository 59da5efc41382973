"""A plan → what the developer's own functions make of it, before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tilth.errors import Fault, Invalid, invalid
from tilth.kernel.plan.change import Children, WritePlan
from tilth.kernel.policy.actor import Actor
from tilth.kit.text import suggest

Before = Callable[[WritePlan], WritePlan]
"""Pure. May raise Invalid, with pointers below the row ("/name"), and Forbidden."""

Hooks = Mapping[str, tuple[Before, ...]]
"""Resource → its functions, in the order they are asked."""


def prepared(plan: WritePlan, hooks: Hooks, actor: Actor) -> WritePlan:
    """The plan and those of the rows below it, each with the actor. Raises Invalid with the faults of all of them."""
    if not hooks:
        return plan
    faults: list[Fault] = []
    made = _prepared(plan, hooks, actor, faults)
    if faults:
        raise invalid(faults)
    return made


def _prepared(plan: WritePlan, hooks: Hooks, actor: Actor, faults: list[Fault]) -> WritePlan:
    plan = replace(plan, actor=actor)
    try:
        for function in hooks.get(_addressed(plan), ()):
            plan = _after(function, plan)
    except Invalid as exc:
        faults += [
            Fault(plan.pointer + each.pointer, each.code, each.detail) for each in exc.faults
        ]
    below = tuple(
        Children(
            each.relation, tuple(_prepared(child, hooks, actor, faults) for child in each.plans)
        )
        for each in plan.children
    )
    return replace(plan, children=below) if below else plan


def _addressed(plan: WritePlan) -> str:
    """Of a link, the resource it is told of: that at the near end."""
    if plan.action in ("link", "unlink") and plan.owner is not None:
        return plan.owner[0].rights.access.resource.name
    return plan.resource.name


def _after(function: Before, plan: WritePlan) -> WritePlan:
    made: object = function(plan)
    if not isinstance(made, WritePlan):
        raise TypeError(f"{_name(function)} must return the plan, and returned {made!r}.")
    for name in made.values.keys() - plan.resource.fields.keys():
        close = suggest(name, plan.resource.fields)
        hint = f" Did you mean {close!r}?" if close else ""
        raise TypeError(
            f"{_name(function)} sets {name!r}, which {plan.resource.title} does not have.{hint}"
        )
    return replace(made, trusted=plan.trusted | _set_by(plan, made))


def _set_by(plan: WritePlan, made: WritePlan) -> frozenset[str]:
    nothing = object()
    return frozenset(
        name
        for name, value in made.values.items()
        if (held := plan.values.get(name, nothing)) is not value and held != value
    )


def _name(function: Before) -> str:
    return getattr(function, "__qualname__", repr(function))
