"""Change → status, headers and body: a value, so that it can be stored and repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from tilth.features.api.service.etags import body_tag, strong
from tilth.features.api.service.links import item_path
from tilth.features.api.service.media import JSON
from tilth.features.api.service.preferences import Preferences
from tilth.features.api.service.representation import Represent, as_json
from tilth.kernel.store.apply import Change
from tilth.kernel.store.record import Record
from tilth.kernel.store.scope import Scope

TOLD = ("etag", "location")
"""Headers that say something of the row, and so go along where an answer is inside another."""

_STATUS = {"create": 201, "update": 200, "delete": 204, "link": 204, "unlink": 204}


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer before it is sent. headers: lower case. body: empty for none."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


Job = Callable[[Scope], Outcome]
"""What is done inside a unit of work, and what it comes to."""


def outcome_of(
    change: Change, base: str, wanted: Preferences, represent: Represent = as_json
) -> Outcome:
    """base: "/api" behind any root path. What the caller may not read is not shown to them."""
    status = _STATUS[change.plan.action]
    headers = {"preference-applied": wanted.applied} if wanted.applied else {}
    row = change.after if change.plan.action in ("create", "update") else None
    if row is None or not row.granted["read"]:
        return Outcome(204 if status == 200 else status, headers)
    shown = represent(row)
    headers["etag"] = strong(row.tag, body_tag(shown.body))
    if status == 201:
        headers["location"] = _address(row, base)
    if wanted.minimal:
        return Outcome(204 if status == 200 else status, headers)
    return Outcome(
        status, {**headers, **shown.headers, "content-type": shown.media_type}, shown.body
    )


def rows_outcome(changes: Sequence[Change], wanted: Preferences) -> Outcome:
    """Of many new rows, in the order they were sent; null for one that the caller may not read."""
    is_new = any(change.plan.action == "create" for change in changes)
    headers = {"preference-applied": wanted.applied} if wanted.applied else {}
    if wanted.minimal:
        return Outcome(201 if is_new else 204, headers)
    rows = [change.after for change in changes]
    items = [row.shown if row is not None and row.granted["read"] else None for row in rows]
    body = orjson.dumps({"items": items})
    return Outcome(201 if is_new else 200, {**headers, "content-type": JSON}, body)


def affected_outcome(rows: int, wanted: Preferences) -> Outcome:
    headers = {"preference-applied": wanted.applied}
    if wanted.minimal:
        return Outcome(204, headers)
    body = orjson.dumps({"affected": rows})
    return Outcome(200, {**headers, "content-type": JSON}, body)


def _address(row: Record, base: str) -> str:
    return item_path(base, row.rights.access.resource.name, row.key)
