"""A method at an address → what it asks to be changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.etags import row_parts
from tilth.kernel.plan.intent import WriteAction, WriteIntent
from tilth.kernel.plan.merge import if_match_required

_ACTIONS: Mapping[tuple[str, str], WriteAction] = {
    ("collection", "POST"): "create",
    ("collection", "PATCH"): "update",
    ("collection", "DELETE"): "delete",
    ("related", "POST"): "create",
    ("row", "PUT"): "replace",
    ("row", "PATCH"): "update",
    ("row", "DELETE"): "delete",
    ("link", "PUT"): "link",
    ("link", "DELETE"): "unlink",
}


@dataclass(frozen=True, slots=True)
class Conditions:
    """`If-Match` and `If-None-Match` as sent."""

    if_match: Sequence[str] = ()
    if_none_match: Sequence[str] = ()


UNCONDITIONAL = Conditions()


def conditions_of(headers: Headers) -> Conditions:
    return Conditions(headers.getlist("if-match"), headers.getlist("if-none-match"))


def change_intent(
    method: str,
    address: Address,
    body: Any,
    conditions: Conditions,
    conditional: Collection[str],
) -> WriteIntent:
    """conditional: resources whose rows are changed with If-Match only.

    Raises PreconditionRequired, BadRequest.
    """
    changes_rows = address.place == "row" or (address.place == "collection" and method != "POST")
    if not conditions.if_match and changes_rows and address.resource in conditional:
        raise if_match_required()
    return WriteIntent(
        _ACTIONS[address.place, method],
        address.resource,
        address.key,
        address.relation,
        address.other,
        body,
        _versions("If-Match", conditions.if_match),
        _versions("If-None-Match", conditions.if_none_match),
        merges=method == "PATCH",
    )


def _versions(name: str, sent: Sequence[str]) -> tuple[str, ...] | None:
    return row_parts(name, sent) if sent else None
