"""Change → status, headers and body: a value, so that it can be stored and repeated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tilth.features.api.service.etags import body_tag, strong
from tilth.features.api.service.links import item_path
from tilth.features.api.service.preferences import Preferences
from tilth.features.api.service.representation import Represent, as_json
from tilth.kernel.store.apply import Change
from tilth.kernel.store.record import Record

_STATUS = {"create": 201, "update": 200, "delete": 204, "link": 204, "unlink": 204}


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer before it is sent. headers: lower case. body: empty for none."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


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


def _address(row: Record, base: str) -> str:
    return item_path(base, row.rights.access.resource.name, row.key)
