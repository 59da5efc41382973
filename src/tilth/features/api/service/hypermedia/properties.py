"""Fields a caller may write → the properties of a HAL-FORMS template, as a body takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlencode

from sqlalchemy import Numeric

from tilth.features.api.service.hypermedia.drawing import Drawing
from tilth.features.api.service.links import collection_path
from tilth.features.api.service.media import CSV
from tilth.kernel.plan.body import is_needed_by_put, writable
from tilth.kernel.policy.access import Access, Rights
from tilth.kernel.schema.bodies import integer_range
from tilth.kernel.schema.resource import Field

Property = dict[str, Any]
Change = Literal["create", "update", "replace"]

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "checkbox": "checkbox",
        "number": "number",
        "textarea": "textarea",
        "date": "date",
        "time": "time",
        "json": "textarea",
        "list": "textarea",
    }
)
"""Widget → type; "text" for the others: a moment has an offset, which datetime-local leaves out."""

_LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "minimum": "min",
        "maximum": "max",
        "minLength": "minLength",
        "maxLength": "maxLength",
        "multipleOf": "step",
    }
)
"""Keyword of JSON Schema → attribute of a property."""


def properties_of(
    drawing: Drawing, rights: Rights, change: Change, without: Collection[str]
) -> Iterator[Property]:
    """In the order of the fields."""
    references = dict(_references(drawing, rights.access))
    for name, field in writable(rights, creating=change == "create"):
        if name not in without:
            required = _is_required(rights.access, field, change)
            options = references.get(name) or _choices(field)
            if options is not None:
                options = {**options, "minItems": int(required), "maxItems": 1}
            yield {
                "name": name,
                **({"prompt": field.description} if field.description else {}),
                "type": _TYPES.get(field.kind.widget, "text"),
                "required": required,
                **_limits(field),
                **({"options": options} if options is not None else {}),
            }


def _is_required(access: Access, field: Field, change: Change) -> bool:
    """As plan/write.py refuses what is missing."""
    if change == "update":
        return False
    if change == "create":
        return field.is_required
    return is_needed_by_put(access, field)


def _limits(field: Field) -> Property:
    asked = {_LIMITS[name]: value for name, value in field.limits.items() if name in _LIMITS}
    if "pattern" in field.limits:
        # A form's pattern is of the whole value, the model's of any part of it.
        asked["regex"] = f".*(?:{field.limits['pattern']}).*"
    if field.max_length is not None:
        asked["maxLength"] = min(field.max_length, asked.get("maxLength", field.max_length))
    match field.kind.name:
        case "integer":
            return asked | _whole_limits(field, asked)
        case "decimal":
            return _digit_limits(field) | asked
    return asked


def _whole_limits(field: Field, asked: Property) -> Property:
    """Between the ends of the column's type and those that the model gives, the narrower."""
    stored = integer_range(field.expression.type)
    below = field.limits.get("exclusiveMaximum", stored.stop)
    above = field.limits.get("exclusiveMinimum", stored.start - 1)
    return {
        "min": max(stored.start, asked.get("min", stored.start), above + 1),
        "max": min(stored.stop - 1, asked.get("max", stored.stop - 1), below - 1),
    }


def _digit_limits(field: Field) -> Property:
    """The step of a column's digits after the point."""
    type_ = field.expression.type
    scale = field.kind.digits[1] if field.kind.digits is not None else None
    if scale is None and isinstance(type_, Numeric) and type_.precision is not None:
        scale = type_.scale or 0
    return {} if scale is None else {"step": 10.0**-scale if scale > 0 else 1}


def _choices(field: Field) -> Property | None:
    values = field.kind.json_schema.get("enum")
    return None if values is None else {"inline": list(values)}


def _references(drawing: Drawing, access: Access) -> Iterator[tuple[str, Property]]:
    """Field → where the rows are listed that it may refer to; CSV is an array that forms can read."""
    for _, relation in drawing.sight.relations(access):
        target = drawing.sight.access(relation.target)
        if len(relation.local) == 1 and target.resource.key[0] in target.fields:
            key, prompt = target.resource.key[0], _prompt(target)
            fields = ",".join(dict.fromkeys((key, prompt)))
            path = collection_path(drawing.base, relation.target)
            href = f"{path}?{urlencode({'fields': fields}, safe=',')}"
            link = {"href": href, "type": CSV}
            yield relation.local[0], {"link": link, "valueField": key, "promptField": prompt}


def _prompt(access: Access) -> str:
    """What a person knows a row by: a field that is searched, else the first text, else its key."""
    searched = [name for name in access.resource.search if name in access.fields]
    texts = [name for name, field in access.fields.items() if field.kind.name == "text"]
    return [*searched, *texts, access.resource.key[0]][0]
