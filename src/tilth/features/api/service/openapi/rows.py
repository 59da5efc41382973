"""Resource → JSON Schema of its rows and of a page of them."""

from collections.abc import Mapping
from typing import Any

from tilth.features.api.service.openapi.components import Reference
from tilth.features.api.service.openapi.view import View
from tilth.kernel.plan.read import MOST_ROWS
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Field, Relation

_ADDRESS = {"type": ["string", "null"], "format": "uri-reference"}


def row_schema(view: View, access: Access, rows: Mapping[str, Reference]) -> dict[str, Any]:
    """rows: the reference to each resource's row schema.

    No property is required: `fields=` decides which fields are there, `expand=` which relations.
    """
    resource = access.resource
    properties = {name: _field_schema(access, field) for name, field in access.fields.items()}
    for relation, _ in view.relations(access):
        properties[relation.name] = _relation_schema(relation, rows[relation.target])
    schema: dict[str, Any] = {"title": resource.title, "type": "object"}
    if resource.description:
        schema["description"] = resource.description
    return schema | {"properties": properties, "additionalProperties": False}


def list_schema(row: Reference) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": row, "maxItems": MOST_ROWS},
            "next": _ADDRESS | {"description": "Address of the next page."},
            "prev": _ADDRESS | {"description": "Address of the page before."},
            "total": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "Number of rows on all pages, when asked for with count.",
            },
        },
        "required": ["items", "next", "prev"],
        "additionalProperties": False,
    }


def nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, or null."""
    if "$ref" in schema:
        return {"anyOf": [dict(schema), {"type": "null"}]}
    widened = dict(schema)
    if "anyOf" in widened:
        widened["anyOf"] = [*widened["anyOf"], {"type": "null"}]
    if "enum" in widened:
        widened["enum"] = [*widened["enum"], None]
    if "type" in widened:
        widened["type"] = [widened["type"], "null"]
    return widened


def _field_schema(access: Access, field: Field) -> dict[str, Any]:
    # The bounds of a number type say nothing about a row, and viewers show them as the example.
    value = {k: v for k, v in field.kind.json_schema.items() if k not in ("minimum", "maximum")}
    may_be_null = field.nullable or field.name in access.masked
    schema = nullable(value) if may_be_null else value
    return schema | ({"description": field.description} if field.description else {})


def _relation_schema(relation: Relation, row: Reference) -> dict[str, Any]:
    schema = {"type": "array", "items": row} if relation.many else nullable(row)
    wording = relation.description or f"Present with expand={relation.name}."
    return schema | {"description": wording}
