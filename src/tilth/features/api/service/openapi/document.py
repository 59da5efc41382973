"""Schema + what a caller may read → the OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tilth.features.api.service.openapi.changes import Changing, changing, signing_in
from tilth.features.api.service.openapi.components import Components, Names, Part, Reference
from tilth.features.api.service.openapi.later import work_path
from tilth.features.api.service.openapi.matching import batch_of
from tilth.features.api.service.openapi.operations import (
    Operations,
    links_to_row,
    operations_of,
)
from tilth.features.api.service.openapi.parameters import parameters_of, shared_parameters
from tilth.features.api.service.openapi.paths import (
    Described,
    Writing,
    index_of,
    new_row_path,
    page_content,
    paths_of,
)
from tilth.features.api.service.openapi.responses import Responses, answer, shared_responses
from tilth.features.api.service.openapi.rows import list_schema, row_schema
from tilth.features.api.service.openapi.values import value_schema
from tilth.features.api.service.openapi.view import View, is_addressable
from tilth.features.api.service.openapi.written import with_problems
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Access

Document = dict[str, Any]

_IF_NONE_MATCH: Part = {
    "name": "If-None-Match",
    "in": "header",
    "description": "An ETag answered before; 304 while it is current.",
    "schema": {"type": "string"},
}


def openapi_document(
    sight: Sight,
    *,
    title: str,
    version: str,
    base: str = "/api",
    written: Mapping[str, Any] | None = None,
    security_schemes: Mapping[str, Part] | None = None,
    anonymous: Sight | None = None,
    writable: bool = False,
    conditional: frozenset[str] = frozenset(),
) -> Document:
    """Every generated route as the caller may use it, beside the routes that are already written.

    sight: the caller's; what may not be read is left out, and so is what may not be done.
    written: FastAPI's document of the other routes, which stays as it is but for its 422.
    security_schemes: how callers sign in, by name. anonymous: the sight of nobody in particular;
        None when callers are not told apart.
    writable: the database is ours to change. conditional: resources whose rows change with
        If-Match only.
    """
    written, schemes = written or {}, security_schemes or {}
    components = Components(written.get("components", {}))
    view, names = View(sight, writable), Names(_operation_ids(written))
    operations = operations_of(view, names)
    responses = shared_responses(components, credentials=bool(schemes))
    described = _described(view, components, operations, responses, _security(schemes, anonymous))
    if_none_match = components.add("parameters", "If-None-Match", _IF_NONE_MATCH)
    changes = changing(
        view,
        components,
        operations,
        responses,
        names,
        conditional=conditional,
        anonymous=View(anonymous, writable) if anonymous else None,
        schemes=list(schemes),
    )
    writing = Writing(view, described, operations, responses, if_none_match, names, base, changes)
    paths = _paths(writing)
    parts: dict[str, Mapping[str, Part]] = {**components.parts}
    if schemes:
        parts["securitySchemes"] = schemes
    info = {"title": title, "version": version}
    own = with_problems(written, responses.problem)
    return {"openapi": "3.1.0", "info": info, **_merged(own, paths, parts, _tags(described))}


def _paths(writing: Writing) -> Mapping[str, Mapping[str, Any]]:
    sight = writing.view.sight
    paths = {writing.base: index_of(writing)}
    for name in sight.schema:
        if name in writing.described:
            paths |= dict(paths_of(writing, writing.described[name]))
        else:
            paths |= dict(new_row_path(writing, sight.access(name)))
    if writing.changing is not None:
        paths[f"{writing.base}/batch"] = batch_of(writing.changing, writing.base)
        paths |= dict(_work(writing, writing.changing))
    return paths


def _work(writing: Writing, changing: Changing) -> Iterator[tuple[str, dict[str, Any]]]:
    if changing.accepted is not None:
        signing = signing_in(changing, is_open=False)
        path = work_path(writing.responses, changing.get_work, signing)
        yield "/".join([writing.base, "work", "{work_id}"]), path


def _described(
    view: View,
    components: Components,
    operations: Operations,
    responses: Responses,
    security: Callable[[Access], Mapping[str, Any]],
) -> Mapping[str, Described]:
    accesses = list(view.accesses())
    rows = {a.resource.name: components.reserve("schemas", a.resource.title) for a in accesses}
    shared = shared_parameters(components)
    described: dict[str, Described] = {}
    for access in accesses:
        name, row = access.resource.name, rows[access.resource.name]
        components.fill(row, row_schema(view, access, rows))
        key = _key_part(access)
        described[name] = Described(
            access,
            row,
            _page(access, row, components, operations, responses),
            components.add("parameters", f"{name}.key", key) if key else None,
            key,
            parameters_of(view, access, components, shared),
            security(access),
        )
    return described


def _page(
    access: Access,
    row: Reference,
    components: Components,
    operations: Operations,
    responses: Responses,
) -> Reference:
    name = f"{access.resource.title}List"
    page = components.add("schemas", name, list_schema(row))
    found = answer(responses, f"A page of {access.resource.name}.", page_content(page))
    return components.add("responses", name, found | links_to_row(access, operations))


def _key_part(access: Access) -> Part | None:
    """A key of several parts is an array, which style `simple` writes as `7,2`."""
    if not is_addressable(access):
        return None
    names = access.resource.key
    schemas = [value_schema(access.fields[name].kind) for name in names]
    one = schemas[0] if schemas.count(schemas[0]) == len(schemas) else {"type": "string"}
    several = {"type": "array", "items": one, "minItems": len(names), "maxItems": len(names)}
    return {
        "name": "key",
        "in": "path",
        "required": True,
        "description": ", ".join(f"`{name}`" for name in names),
        "schema": one if len(names) == 1 else several,
    }


def _security(
    schemes: Mapping[str, Part], anonymous: Sight | None
) -> Callable[[Access], Mapping[str, Any]]:
    required: list[dict[str, list[str]]] = [{name: []} for name in schemes]

    def security(access: Access) -> Mapping[str, Any]:
        if not required:
            return {}
        is_open = anonymous is None or anonymous.access(access.resource.name).rows != "none"
        return {"security": [{}, *required] if is_open else required}

    return security


def _operation_ids(written: Mapping[str, Any]) -> Iterator[str]:
    for item in written.get("paths", {}).values():
        for operation in item.values():
            if isinstance(operation, Mapping) and "operationId" in operation:
                yield operation["operationId"]


def _tags(described: Mapping[str, Described]) -> list[dict[str, str]]:
    resources = [each.access.resource for each in described.values()]
    return [
        {"name": r.name} | ({"description": r.description} if r.description else {})
        for r in resources
    ]


def _merged(
    written: Mapping[str, Any],
    paths: Mapping[str, Mapping[str, Any]],
    parts: Mapping[str, Mapping[str, Part]],
    tags: list[dict[str, str]],
) -> Document:
    """What is written comes first and wins wherever both say something."""
    own_tags = list(written.get("tags", ()))
    tagged = {tag["name"] for tag in own_tags}
    merged = {
        **written,
        "paths": _sections_merged(written.get("paths", {}), paths),
        "components": _sections_merged(written.get("components", {}), parts),
        "tags": own_tags + [tag for tag in tags if tag["name"] not in tagged],
    }
    return {name: part for name, part in merged.items() if part or name == "paths"}


def _sections_merged(
    written: Mapping[str, Mapping[str, Any]], made: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    names = [*written, *(name for name in made if name not in written)]
    return {name: {**made.get(name, {}), **written.get(name, {})} for name in names}
