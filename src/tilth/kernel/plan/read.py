"""Intent + Schema + Policy + Actor → ReadPlan."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tilth.errors import NotFound, bad_parameter
from tilth.kernel.plan.cursor import Signer, binding_of
from tilth.kernel.plan.draft import Draft
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.order import order_from
from tilth.kernel.plan.shape import Node, Owner, ReadPlan, ReadShape, SortKey, Window
from tilth.kernel.plan.sight import Sight, entered, hint_at
from tilth.kernel.plan.tree import tree_from
from tilth.kernel.plan.where import where_from
from tilth.kernel.policy.access import Access

DEFAULT_LIMIT = 50
MOST_ROWS = 200
MOST_OFFSET = 1_000_000_000

_NUMBERS = frozenset({"integer", "float", "decimal"})
_AS_ANSWERED = re.compile(
    r"(?!-0+$)-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE
)


def plan_read(intent: Intent, sight: Sight, signer: Signer) -> ReadPlan:
    """Look every name up as the actor sees it and put every value in a slot.

    Raises NotFound, Unauthenticated, Forbidden, and BadRequest naming the parameter.
    """
    access = entered(sight, intent.resource)
    draft = Draft()
    if intent.relation is not None:
        owner = _owner(intent, sight, access, draft)
        return _plan_rows(intent, sight, signer, draft, sight.access(owner.relation.target), owner)
    if intent.key is not None:
        return _plan_row(intent, sight, access, draft)
    return _plan_rows(intent, sight, signer, draft, access, None)


def continued(plan: ReadPlan, keys: tuple[Any, ...], rows: int) -> ReadPlan:
    """The same read, from after the row with these sort keys.

    rows: how many were read; where rows have no identity, they are counted off instead.
    """
    if not plan.shape.root.access.resource.key:
        counted = replace(plan.shape, window=Window("offset"))
        return replace(plan, shape=counted, offset=plan.offset + rows)
    base = plan.values[: plan.own_values]
    slots = tuple(range(len(base), len(base) + len(keys)))
    window = Window("after", tuple(key is None for key in keys), slots)
    return replace(plan, shape=replace(plan.shape, window=window), values=(*base, *keys))


def _plan_row(intent: Intent, sight: Sight, access: Access, draft: Draft) -> ReadPlan:
    key_slots = draft.slots(key_values(access, intent.key or ()))
    chosen = tree_from(sight, access, intent.expand, intent.fields)
    whole = Node(access, tuple(access.fields), chosen.branches)
    shape = ReadShape(whole, key_slots=key_slots)
    return ReadPlan(shape, draft.values, chosen.fields, limit=1)


def key_values(access: Access, texts: Sequence[str]) -> list[Any]:
    """Raises NotFound for what cannot be a key: it is absent, like one that is not there.

    A number has one address: +1 and 01 are no other spellings of 1.
    """
    resource = access.resource
    if not resource.key or len(resource.key) != len(texts):
        raise not_found(access)
    values = []
    for name, text in zip(resource.key, texts, strict=True):
        kind = resource.fields[name].kind
        if kind.name in _NUMBERS and not _AS_ANSWERED.fullmatch(text):
            raise not_found(access)
        try:
            values.append(kind.parse(text))
        except ValueError as exc:
            raise not_found(access) from exc
    return values


def not_found(access: Access) -> NotFound:
    """The same answer for a row that is absent and one that is hidden."""
    return NotFound(f"There is no such row in {access.resource.name}.")


def _owner(intent: Intent, sight: Sight, access: Access, draft: Draft) -> Owner:
    name = intent.relation or ""
    collections = {key: each for key, each in sight.relations(access) if each.many}
    relation = collections.get(name)
    if relation is None:
        hint = hint_at(name, collections)
        raise NotFound(f"{access.resource.name} has no collection {name!r}.{hint}")
    return Owner(access, relation, draft.slots(key_values(access, intent.key or ())))


def _plan_rows(
    intent: Intent,
    sight: Sight,
    signer: Signer,
    draft: Draft,
    access: Access,
    owner: Owner | None,
) -> ReadPlan:
    root = tree_from(sight, access, intent.expand, intent.fields)
    where = where_from(sight, draft, access, intent)
    order = order_from(sight, access, intent.sort)
    own_values = len(draft.values)
    binding = binding_of(intent)
    window, offset = _window(intent, draft, signer, binding, order if access.resource.key else ())
    shape = ReadShape(root, where, order, window, intent.count, owner)
    return ReadPlan(
        shape, draft.values, root.fields, _limit(intent.limit), offset, binding, own_values
    )


def _limit(asked: int | None) -> int:
    if asked is None:
        return DEFAULT_LIMIT
    if not 1 <= asked <= MOST_ROWS:
        raise bad_parameter("limit", "out_of_range", f"limit is 1 to {MOST_ROWS}, not {asked}.")
    return asked


def _window(
    intent: Intent, draft: Draft, signer: Signer, binding: str, order: tuple[SortKey, ...]
) -> tuple[Window, int]:
    """order: empty when rows have no identity and can only be counted off."""
    if intent.cursor is None:
        return _counted_window(intent.offset)
    if intent.offset is not None:
        raise bad_parameter("offset", "conflict", "Give either cursor or offset, not both.")
    opened = signer.open(binding, intent.cursor)
    if len(opened.keys) != len(order):
        raise bad_parameter("cursor", "bad_cursor", "The cursor is of another list; start again.")
    nulls = tuple(key is None for key in opened.keys)
    return Window(opened.direction, nulls, draft.slots(opened.keys)), 0


def _counted_window(offset: int | None) -> tuple[Window, int]:
    if offset is None:
        return Window(), 0
    if not 0 <= offset <= MOST_OFFSET:
        detail = f"offset is 0 to {MOST_OFFSET}, not {offset}."
        raise bad_parameter("offset", "out_of_range", detail)
    return Window("offset"), offset
