"""A collection whose matching rows may be changed, and batches → their operations."""

from collections.abc import Iterator, Sequence
from typing import Any

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.batch.operations import METHODS, MOST_OPERATIONS
from tilth.features.api.service.media import JSON
from tilth.features.api.service.openapi.changes import (
    Changing,
    Operation,
    refusals,
    rehearsable,
    shared,
    signing_in,
)
from tilth.features.api.service.openapi.components import Part, Reference
from tilth.features.api.service.openapi.contents import body_of
from tilth.features.api.service.openapi.operations import plural
from tilth.features.api.service.openapi.responses import changed
from tilth.kernel.plan.size import MOST_ROWS
from tilth.kernel.policy.access import Access

_REFUSALS = (400, 401, 403, 406, 409, 422, 429, 503)
_VERBS = {"PATCH": ("update", "Change"), "DELETE": ("delete", "Delete")}

_AT_MOST: Part = {
    "name": "Prefer",
    "in": "header",
    "required": True,
    "description": f"`max-affected=N`, N at most {MOST_ROWS:,}: when more rows match, none is "
    "changed. `dry-run` and `return=minimal` may follow, after a comma.",
    "schema": {
        "type": "string",
        "pattern": "^max-affected=(?:1000|[0-9]{1,3})(?:, ?(?:dry-run|return=minimal))*$",
    },
}
_AFFECTED: Part = {
    "type": "object",
    "properties": {"affected": {"type": "integer", "minimum": 0, "maximum": MOST_ROWS}},
    "required": ["affected"],
    "additionalProperties": False,
}


def matching_changes(
    changing: Changing, access: Access, parameters: Sequence[Reference]
) -> Iterator[tuple[str, Operation]]:
    """PATCH and DELETE. parameters: those that say which rows."""
    resource = access.resource
    address = Address("collection", resource.name)
    if resource.name in changing.conditional:
        return
    for method in changing.view.methods(address):
        if method not in _VERBS:
            continue
        verb, spoken = _VERBS[method]
        body = changing.requests.patch(resource.name) if method == "PATCH" else None
        yield (
            method.lower(),
            {
                "operationId": changing.names.fresh(f"{verb}_matching_{plural(resource)}"),
                "summary": f"{spoken} every row that matches; a condition is required",
                **shared(changing, address, method),
                "parameters": [*parameters, _AT_MOST, changing.always[-1]],
                **({"requestBody": body_of(method, body)} if body else {}),
                "responses": _affected(changing, has_body=body is not None),
            },
        )


def _affected(changing: Changing, *, has_body: bool) -> dict[str, Part]:
    found = changed(
        changing.responses, "How many rows have matched.", {JSON: {"schema": _AFFECTED}}
    )
    return rehearsable(
        changing,
        {
            "200": found,
            "204": changed(changing.responses, "The change is made; nothing is answered."),
            **refusals(changing, *_REFUSALS, *((413, 415) if has_body else ())),
        },
    )


def batch_of(changing: Changing, base: str) -> dict[str, Any]:
    """POST of operations that are all done, or none."""
    schema = {
        "type": "object",
        "properties": {"operations": _operations(base)},
        "required": ["operations"],
        "additionalProperties": False,
    }
    found = changed(changing.responses, "Every operation is done.", {JSON: {"schema": _RESULTS}})
    statuses = (404, 405, 412, 413, 415, 428)
    post = {
        "operationId": changing.names.fresh("batch"),
        "summary": "Make several changes, or none",
        **signing_in(changing, is_open=True),
        "parameters": list(changing.always),
        "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
        "responses": rehearsable(
            changing, {"200": found, **refusals(changing, *_REFUSALS, *statuses)}
        ),
    }
    options = {
        "operationId": changing.names.fresh("options_batch"),
        "summary": "Methods there are here",
        "responses": {"204": changing.responses.allowed, **refusals(changing, 400, 401, 429)},
    }
    return {"post": post, "options": options}


def _operations(base: str) -> Part:
    one = {
        "type": "object",
        "properties": {
            "method": {"enum": list(METHODS)},
            "path": {
                "type": "string",
                "pattern": f"^{base}/[^?#]+$",
                "description": "An address of the API, without a query.",
            },
            "body": {"description": "As in a request of its own."},
            "if_match": {"type": "string", "description": "An ETag that the row is to have."},
            "name": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"},
        },
        "required": ["method", "path"],
        "allOf": [
            {"not": {"properties": {"method": {"const": "POST"}}, "required": ["if_match"]}},
            {"not": {"properties": {"method": {"const": "DELETE"}}, "required": ["body"]}},
        ],
        "additionalProperties": False,
    }
    return {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_OPERATIONS}


_RESULTS: Part = {
    "type": "object",
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "status": {"type": "integer"},
                    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
                    "body": {},
                },
                "required": ["status", "headers", "body"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["results"],
    "additionalProperties": False,
}
