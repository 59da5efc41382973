"""What many rows will be, or what will be done to those that match: plans, before any I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tilth.errors import BadRequest, Fault, Invalid, PayloadTooLarge, invalid
from tilth.kernel.plan.change import Row, WritePlan
from tilth.kernel.plan.conditions import Condition
from tilth.kernel.plan.draft import Draft
from tilth.kernel.plan.intent import Intent, WriteIntent
from tilth.kernel.plan.sight import Sight, entered
from tilth.kernel.plan.size import MOST_LINKED, MOST_ROWS
from tilth.kernel.plan.where import where_from
from tilth.kernel.plan.write import permitted, plan_update, plan_write
from tilth.kernel.policy.policy import Action


@dataclass(frozen=True, slots=True)
class ManyPlan:
    """One change of every row that matches.

    each: the change of one row, its key aside. where: over the slots in values. most: how many rows
    may match.
    """

    each: WritePlan
    where: Condition
    values: tuple[Any, ...]
    most: int


def intents_of(intent: WriteIntent, bodies: Sequence[Any]) -> list[WriteIntent]:
    """One for each body, which is found at "/0", "/1" and so on. Raises PayloadTooLarge, Invalid."""
    if len(bodies) > MOST_ROWS:
        detail = f"One request creates at most {MOST_ROWS:,} rows, not {len(bodies):,}."
        raise PayloadTooLarge(detail, code="too_many_rows")
    if not bodies:
        raise invalid([Fault("", "bad_value", "Expected at least one row.")])
    return [replace(intent, body=body, pointer=f"/{at}") for at, body in enumerate(bodies)]


def plan_rows(intents: Sequence[WriteIntent], sight: Sight) -> list[WritePlan]:
    """Raises what plan_write raises, and Invalid with every fault of every row."""
    plans: list[WritePlan] = []
    faults: list[Fault] = []
    for intent in intents:
        try:
            plans.append(plan_write(intent, sight))
        except Invalid as exc:
            faults.extend(exc.faults)
    if faults:
        raise invalid(faults)
    return plans


def plan_many(intent: WriteIntent, asked: Intent, most: int, sight: Sight) -> ManyPlan:
    """intent: to update or delete. asked: which rows. Raises BadRequest when that is all of them."""
    access = entered(sight, intent.resource)
    rights = sight.rights(intent.resource)
    action: Action = "delete" if intent.action == "delete" else "update"
    permitted(sight, rights, action)
    draft = Draft()
    where = where_from(sight, draft, access, asked)
    if where is None:
        detail = f"Say which {intent.resource}, by a filter such as ?{access.resource.key[0]}__in=."
        raise BadRequest(detail, code="filter_required")
    if action == "delete":
        return ManyPlan(WritePlan("delete", rights), where, draft.values, most)
    each = plan_update(intent, sight, Row(rights, ()))
    _check_links(each, most)
    return ManyPlan(each, where, draft.values, most)


def _check_links(each: WritePlan, most: int) -> None:
    named = sum(len(links.targets) for links in each.links)
    if named * most > MOST_LINKED:
        detail = (
            f"{named} links of {most:,} rows would be more than {MOST_LINKED:,}, the most of one "
            f"request. Send Prefer: max-affected={MOST_LINKED // named} or less."
        )
        raise PayloadTooLarge(detail, code="too_many_links")
