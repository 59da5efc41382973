"""JSON Schema of a body's members → a body for people to start from."""

from collections.abc import Collection, Mapping
from typing import Any

Schema = Mapping[str, Any]

_BY_FORMAT = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
}
_BY_TYPE = {"string": "text", "integer": 1, "number": 1.5, "boolean": True}
_LIMITS = frozenset(
    {"pattern", "minLength", "minimum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)


def sample_of(properties: Mapping[str, Schema], needed: Collection[str]) -> dict[str, Any] | None:
    """properties: of the fields to show. None when no value for a needed one comes to mind."""
    samples = {name: _value(schema) for name, schema in properties.items()}
    if any(samples.get(name) is None for name in needed):
        return None
    return {name: value for name, value in samples.items() if value is not None}


def _value(schema: Schema) -> Any:
    """None for a schema that asks for more than its type: a guess might not fit."""
    for known in ("examples", "enum"):
        if known in schema:
            return schema[known][0]
    if "anyOf" in schema:
        return _value(schema["anyOf"][0])
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    type_ = schema.get("type")
    value = _BY_TYPE.get(type_[0] if isinstance(type_, list) else str(type_))
    if isinstance(value, str):
        value = value[: schema.get("maxLength", len(value))]
    return value if _fits(schema, value) else None


def _fits(schema: Schema, value: Any) -> bool:
    limits = _LIMITS & schema.keys()
    if type(value) is int and limits == {"minimum"}:
        return bool(schema["minimum"] <= value <= schema.get("maximum", value))
    return not limits
