"""Changes of many rows at once → their operations: lists of new rows, changes by filter, batches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.bodies import MERGE_PATCH
from tilth.features.api.service.media import CSV, JSON, NDJSON
from tilth.features.api.service.openapi.components import Part, Reference
from tilth.features.api.service.openapi.requests import Requests
from tilth.features.api.service.openapi.responses import Responses, changed
from tilth.kernel.plan.many import MOST_ROWS

MOST_OPERATIONS = 100

ON: Part = {
    "name": "on",
    "in": "query",
    "description": "With `Prefer: resolution=merge`: the fields of one unique constraint, by which a "
    "row that is there already is found and changed.",
    "schema": {"type": "string"},
}
MAX_AFFECTED: Part = {
    "name": "Prefer",
    "in": "header",
    "required": True,
    "description": "`max-affected=N`: when more rows match, none is changed (409).",
    "schema": {"type": "string", "pattern": "max-affected=[0-9]+"},
}
_TEXT: Mapping[str, str] = {
    NDJSON: "A row as JSON per line.",
    CSV: "A header line of field names, then a line per row (RFC 4180). An empty cell is null.",
}


def new_rows_body(row: Reference) -> Part:
    """One row, or many of them."""
    # More are no malformed body but too large a one (413), which maxItems could not tell.
    wording = f"At most {MOST_ROWS:,}."
    many = {"type": "array", "items": row, "minItems": 1, "description": wording}
    texts = {
        media_type: {"schema": {"type": "string", "description": wording}}
        for media_type, wording in _TEXT.items()
    }
    return {"required": True, "content": {JSON: {"schema": {"anyOf": [row, many]}}, **texts}}


def new_rows_answer(row: Reference) -> Part:
    """Of a list: a list, with null for a row that the caller may not read."""
    items = {"type": "array", "items": {"anyOf": [row, {"type": "null"}]}}
    many = {"type": "object", "properties": {"items": items}, "required": ["items"]}
    return {"anyOf": [row, many]}


def matching_changes(
    requests: Requests,
    responses: Responses,
    address: Address,
    methods: Sequence[str],
    parameters: Sequence[Part],
    stem: str,
    refusals: Mapping[str, Part],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """PATCH and DELETE of a collection. parameters: that choose rows. stem: "heroes"."""
    counted = {
        "type": "object",
        "properties": {"affected": {"type": "integer", "minimum": 0}},
        "required": ["affected"],
    }
    answers = {
        "200": changed(responses, "How many rows matched.", {JSON: {"schema": counted}}),
        "204": changed(responses, "Every row that matched is changed."),
        **refusals,
    }
    for method, verb in (("PATCH", "Change"), ("DELETE", "Delete")):
        if method not in methods:
            continue
        operation: dict[str, Any] = {
            "operationId": f"{verb.lower()}_matching_{stem}",
            "summary": f"{verb} every row that matches, or none",
            "parameters": [*parameters, MAX_AFFECTED],
            "responses": answers,
        }
        if method == "PATCH":
            body = requests.patch(address.resource)
            content = {media_type: {"schema": body} for media_type in (MERGE_PATCH, JSON)}
            operation["requestBody"] = {"required": True, "content": content}
        yield method.lower(), operation


def batch_operation(
    responses: Responses, parameters: Sequence[Part], refusals: Mapping[str, Part]
) -> dict[str, Any]:
    """POST /api/batch."""
    one = {
        "type": "object",
        "properties": {
            "method": {"enum": ["POST", "PUT", "PATCH", "DELETE"]},
            "path": {"type": "string", "examples": ["/api/heroes"]},
            "body": {},
            "if_match": {"type": "string"},
            "name": {"type": "string"},
        },
        "required": ["method", "path"],
        "additionalProperties": False,
    }
    operations = {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_OPERATIONS}
    body = {
        "type": "object",
        "properties": {"operations": operations},
        "required": ["operations"],
        "additionalProperties": False,
    }
    result = {
        "type": "object",
        "properties": {"status": {"type": "integer"}, "headers": {"type": "object"}, "body": {}},
        "required": ["status", "headers", "body"],
    }
    done = {
        "type": "object",
        "properties": {"results": {"type": "array", "items": result}},
        "required": ["results"],
    }
    return {
        "operationId": "batch",
        "summary": "Several changes, all of them or none",
        "parameters": list(parameters),
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "responses": {
            "200": changed(responses, "What each has come to.", {JSON: {"schema": done}}),
            **refusals,
        },
    }
