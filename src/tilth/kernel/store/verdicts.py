"""What is asked of a row before and after a change: a record, or why the change is refused."""

from __future__ import annotations

from collections.abc import Sequence

from tilth.errors import Fault, PreconditionFailed, invalid
from tilth.kernel.plan.body import member
from tilth.kernel.plan.change import Reference, Row, WritePlan
from tilth.kernel.plan.read import not_found
from tilth.kernel.plan.write import refusal
from tilth.kernel.policy.access import Rights
from tilth.kernel.policy.fold import Folded
from tilth.kernel.policy.policy import Action
from tilth.kernel.store.integrity import no_such_row
from tilth.kernel.store.record import Record, Wish
from tilth.kernel.store.scope import Scope


def found_row(
    scope: Scope, row: Row, actions: tuple[Action, ...], *, entity: bool = False
) -> Record:
    """Raises NotFound for a row the actor may not read, Forbidden for one that may not be changed."""
    found = looked_up(scope, row, rules_of(row.rights, ("read", *actions)), entity=entity)
    for action in actions:
        if not found.granted[action]:
            raise refusal(scope.sight, row.rights, action)
    return found


def looked_up(
    scope: Scope, row: Row, rules: tuple[tuple[str, Folded], ...], *, entity: bool = False
) -> Record:
    wish = Wish(row.rights, rules, entity=entity)
    found = scope.records.look(scope.session, wish, row.key, scope.sight.actor)
    if found is None or not found.granted["read"]:
        raise not_found(row.rights.access)
    return found


def rules_of(rights: Rights, actions: tuple[Action, ...]) -> tuple[tuple[str, Folded], ...]:
    return tuple((action, rights.rules[action]) for action in actions)


def check_match(plan: WritePlan, found: Record) -> None:
    wanted, unwanted = plan.if_match, plan.if_none_match
    is_wanted = wanted is None or "*" in wanted or found.tag in wanted
    if is_wanted and (unwanted is None or not ("*" in unwanted or found.tag in unwanted)):
        return
    if is_wanted:
        raise PreconditionFailed(
            "If-None-Match asks for the change only where the row is not there, or is another.",
            headers={"ETag": f'"{found.tag}"'},
        )
    raise PreconditionFailed(
        "The row has changed since it was read. Read it again, and repeat the change if it still "
        "makes sense.",
        headers={"ETag": f'"{found.tag}"'},
    )


def check_masks(plan: WritePlan, row: Record) -> None:
    """What the actor may not read on this row can be no secret to them if they may write it."""
    ours = plan.rights.policy.preset.keys() | plan.trusted
    sent = [name for name in plan.values if name in row.masked and name not in ours]
    if sent:
        raise invalid(
            [Fault(plan.pointer + member(name), "read_only", "Is read-only.") for name in sent]
        )


def check_references(dangling: Sequence[Reference], pointer: str) -> None:
    if dangling:
        names = [name for each in dangling for name in each.to_one.local]
        raise no_such_row([pointer + member(name) for name in names])
