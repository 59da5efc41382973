"""What a change would come to → the answer to its rehearsal, of which nothing is kept."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from tilth.features.api.service.media import JSON
from tilth.features.api.service.outcome import TOLD, Outcome
from tilth.kernel.store.scope import Seen


def rehearsed(outcome: Outcome, seen: Sequence[Seen]) -> Outcome:
    """Always a 200, so that nobody takes it for the real answer, which is inside.

    seen: every event that would be told, of rows that the caller may read.
    """
    body = {
        "status": outcome.status,
        "headers": {name: outcome.headers[name] for name in TOLD if name in outcome.headers},
        "body": orjson.Fragment(outcome.body) if outcome.body else None,
        "events": [_told(each) for each in seen],
    }
    kept = {"content-type": JSON, "preference-applied": outcome.headers["preference-applied"]}
    return Outcome(200, kept, orjson.dumps(body))


def _told(seen: Seen) -> dict[str, object]:
    event = seen.event
    return {
        "type": event.type,
        "resource": event.resource,
        "key": list(event.key),
        "after": None if seen.shown is None else dict(seen.shown),
    }
