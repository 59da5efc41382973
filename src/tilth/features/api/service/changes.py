"""A method at an address → what it asks to be changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tilth.errors import PreconditionRequired
from tilth.features.api.service.addresses import Address
from tilth.features.api.service.etags import row_parts
from tilth.kernel.plan.intent import WriteAction, WriteIntent

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


def change_intent(
    method: str,
    address: Address,
    body: Any,
    if_match: Sequence[str],
    conditional: Collection[str],
) -> WriteIntent:
    """if_match: as sent. conditional: resources whose rows are changed with If-Match only.

    Raises PreconditionRequired.
    """
    changes_rows = address.place == "row" or (address.place == "collection" and method != "POST")
    if not if_match and changes_rows and address.resource in conditional:
        raise PreconditionRequired(
            "Send If-Match with the ETag that the row was read with, so that no change is lost."
        )
    return WriteIntent(
        _ACTIONS[address.place, method],
        address.resource,
        address.key,
        address.relation,
        address.other,
        body,
        row_parts(if_match) if if_match else None,
    )
