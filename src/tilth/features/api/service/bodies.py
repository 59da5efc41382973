"""The body of a writing request → its JSON value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from starlette.requests import Request

from tilth.errors import BadRequest, Fault, UnsupportedMedia
from tilth.features.api.service.media import JSON
from tilth.kit.text import sentence_list

MERGE_PATCH = "application/merge-patch+json"

ACCEPTED = {"POST": (JSON,), "PUT": (JSON,), "PATCH": (MERGE_PATCH, JSON)}


async def json_body(request: Request) -> Any:
    """With Decimal for every number that has a point, so that no digit is lost on the way.

    What is wrong with it as JSON, the middleware has said before (runtime/web/json).
    Raises UnsupportedMedia and BadRequest.
    """
    accepted = ACCEPTED[request.method]
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent not in accepted:
        named = f"not {sent!r}" if sent else "and the request does not say what it is"
        raise UnsupportedMedia(
            f"A {request.method} here takes {sentence_list(accepted)}, {named}.",
            headers={
                f"Accept-{'Patch' if request.method == 'PATCH' else 'Post'}": ", ".join(accepted)
            },
        )
    try:
        return json.loads(await request.body(), parse_float=Decimal)
    except ValueError as exc:
        detail = "The body is empty or no JSON. Send a JSON object."
        raise BadRequest(
            detail, code="json_invalid", faults=[Fault("", "json_invalid", detail)]
        ) from exc
