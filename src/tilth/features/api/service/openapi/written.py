"""FastAPI's document of the developer's routes → the same, as this application refuses."""

from collections.abc import Mapping
from typing import Any

import orjson

from tilth.features.api.service.openapi.components import Part, Reference

_SCHEMAS = "#/components/schemas/"
_REFUSAL = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}HTTPValidationError"}}}
_OF_THE_REFUSAL = ("HTTPValidationError", "ValidationError")


def with_problems(written: Mapping[str, Any], problem: Reference) -> Mapping[str, Any]:
    """FastAPI says of every route with parameters how it refuses them; here that is a problem.

    A refusal that the developer has described stays as it is. problem: reference to its schema.
    """
    refused = {"application/problem+json": {"schema": problem}}
    paths = {
        path: {method: _refusing(part, refused) for method, part in item.items()}
        for path, item in written.get("paths", {}).items()
    }
    rest = {**written, "paths": paths} if paths else written
    for name in _OF_THE_REFUSAL:
        rest = _without_unused(rest, name)
    return rest


def _refusing(operation: Any, refused: Part) -> Any:
    """operation: or another part of a path item, such as its summary."""
    responses = operation.get("responses", {}) if isinstance(operation, Mapping) else {}
    if responses.get("422", {}).get("content") != _REFUSAL:
        return operation
    changed = {**responses["422"], "content": refused}
    return {**operation, "responses": {**responses, "422": changed}}


def _without_unused(written: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    components = written.get("components", {})
    schemas = components.get("schemas", {})
    if name not in schemas or f'"{_SCHEMAS}{name}"'.encode() in orjson.dumps(written):
        return written
    kept = {each: part for each, part in schemas.items() if each != name}
    return {**written, "components": {**components, "schemas": kept}}
