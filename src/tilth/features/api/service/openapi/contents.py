"""JSON Schemas of rows → the bodies of requests and answers, by media type."""

from tilth.features.api.service.bodies import ACCEPTED
from tilth.features.api.service.media import CSV, JSON, NDJSON
from tilth.features.api.service.openapi.components import Part, Reference
from tilth.kernel.plan.size import MOST_ROWS


def new_rows_body(schema: Reference) -> Part:
    """One row, or many."""
    # More are no malformed body but too large a one (413), which maxItems could not tell.
    wording = f"At most {MOST_ROWS:,}."
    many = {"type": "array", "items": schema, "minItems": 1, "description": wording}
    lines = f"A row as JSON per line, up to {MOST_ROWS:,}."
    cells = f"A header line with the names of fields, then a line per row, up to {MOST_ROWS:,}."
    content = {
        JSON: {"schema": {"anyOf": [schema, many]}},
        NDJSON: {"schema": {"type": "string", "description": lines}},
        CSV: {"schema": {"type": "string", "description": cells}},
    }
    return {"required": True, "content": content}


def one_or_many(row: Reference) -> Part:
    """As it is answered; null for a row that the caller may not read."""
    items = {"type": "array", "items": {"anyOf": [row, {"type": "null"}]}}
    many = {
        "type": "object",
        "properties": {"items": items},
        "required": ["items"],
        "additionalProperties": False,
    }
    return {"anyOf": [row, many]}


def body_of(method: str, schema: Reference) -> Part:
    content = {media_type: {"schema": schema} for media_type in ACCEPTED[method]}
    return {"required": True, "content": content}
