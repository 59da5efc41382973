"""Work that is accepted for later: how that is answered, and how to ask what became of it."""

from collections.abc import Mapping
from typing import Any

from tilth.features.api.service.media import JSON
from tilth.features.api.service.openapi.components import Components, Part, Reference
from tilth.features.api.service.openapi.responses import Responses, answer, changed

GET_WORK = "get_work"

_MOMENT = {"type": "string", "format": "date-time"}
_WORK: Part = {
    "title": "Work",
    "description": "A change that was accepted with `Prefer: respond-async`.",
    "type": "object",
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "status": {"enum": ["waiting", "done"]},
        "accepted_at": _MOMENT,
        "finished_at": _MOMENT,
        "response": {
            "type": "object",
            "description": "The answer to the change, once it is done.",
            "properties": {
                "status": {"type": "integer"},
                "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                "body": {},
            },
            "required": ["status", "headers", "body"],
            "additionalProperties": False,
        },
    },
    "required": ["id", "status", "accepted_at"],
    "additionalProperties": False,
}


def accepted_work(components: Components, responses: Responses, get_work: str) -> Reference:
    """The 202 of every change. get_work: the operation that tells what became of it."""
    schema = components.add("schemas", "Work", _WORK)
    wording = "Accepted, with `Prefer: respond-async`. What becomes of it is told at `Location`."
    headers = ["Location", "Retry-After"]
    part = changed(responses, wording, {JSON: {"schema": schema}}, headers)
    link = {"operationId": get_work, "parameters": {"work_id": "$response.body#/id"}}
    return components.add("responses", "Accepted", {**part, "links": {"get_work": link}})


def work_path(responses: Responses, get_work: str, signing_in: Mapping[str, Any]) -> dict[str, Any]:
    """GET of what was accepted from the caller."""
    schema = {"$ref": "#/components/schemas/Work"}
    found = answer(responses, "What has become of it.", {JSON: {"schema": schema}})
    found["headers"] = {**found["headers"], "Retry-After": responses.headers["Retry-After"]}
    refused = {
        str(status): responses.with_body[status]
        for status in (400, 401, 404, 406, 429, 503)
        if status in responses.with_body
    }
    key = {"name": "work_id", "in": "path", "required": True}
    operation = {
        "operationId": get_work,
        "summary": "What has become of accepted work",
        **signing_in,
        "parameters": [{**key, "schema": {"type": "string", "format": "uuid"}}],
        "responses": {"200": found, **refused},
    }
    return {"get": operation}
