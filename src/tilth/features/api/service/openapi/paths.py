"""One readable resource → the paths it is found at, with the operations of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tilth.features.api.service.links import collection_path, related_path
from tilth.features.api.service.media import CSV, JSON, NDJSON
from tilth.features.api.service.openapi.changes import (
    Changing,
    collection_changes,
    link_changes,
    related_changes,
    row_changes,
)
from tilth.features.api.service.openapi.components import Names, Part, Reference
from tilth.features.api.service.openapi.matching import matching_changes
from tilth.features.api.service.openapi.operations import (
    Operations,
    links_from_row,
    plural,
    singular,
    stem,
)
from tilth.features.api.service.openapi.parameters import Parameters
from tilth.features.api.service.openapi.responses import HYPERMEDIA, Responses, answer
from tilth.features.api.service.openapi.view import View
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation

PathItem = dict[str, Any]

_LIST_REFUSALS = (400, 401, 406, 429, 503)
_ROW_REFUSALS = (400, 401, 404, 406, 429, 503)
_OPTIONS_REFUSALS = (400, 401, 404, 429)

_ANY_KEY: Part = {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class Described:
    """One resource with the parts its paths are put together from."""

    access: Access
    row: Reference
    page: Reference
    key: Reference | None
    key_part: Part | None
    parameters: Parameters
    security: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """What the operations of one path have in common. stem: ends every operationId."""

    get_id: str
    stem: str
    summary: str
    tag: str
    parameters: Sequence[Reference]
    key: bool
    found: Part
    refusals: Sequence[int]
    security: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Writing:
    """What every path needs. conditional: the If-None-Match parameter. changing: None when nothing
    can be changed.
    """

    view: View
    described: Mapping[str, Described]
    operations: Operations
    responses: Responses
    conditional: Reference
    names: Names
    base: str
    changing: Changing | None


def paths_of(writing: Writing, described: Described) -> Iterator[tuple[str, PathItem]]:
    """The collection, then a row, then the row's sub-collections, each with the links in it."""
    access, key, changing = described.access, described.key, writing.changing
    path = collection_path(writing.base, access.resource.name)
    item = _path_item(writing, _collection(writing, described))
    if changing is not None:
        matching = described.parameters.matching
        item |= dict(collection_changes(changing, access, described.row))
        item |= dict(matching_changes(changing, access, matching))
    yield path, item
    if key is None:
        return
    item = _path_item(writing, _row(writing, described, key))
    changes = row_changes(changing, access, described.row, key) if changing else ()
    yield f"{path}/{{key}}", item | dict(changes)
    for relation, _ in writing.view.relations(access):
        if relation.many:
            yield from _related_paths(writing, described, key, relation)


def _related_paths(
    writing: Writing, described: Described, key: Reference, relation: Relation
) -> Iterator[tuple[str, PathItem]]:
    access, target = described.access, writing.described[relation.target]
    collection = collection_path(writing.base, access.resource.name)
    path = related_path(f"{collection}/{{key}}", relation.name)
    place, changing = _sub_collection(writing, described, key, relation), writing.changing
    item = _path_item(writing, place)
    if changing is None:
        yield path, item
        return
    yield (
        path,
        item
        | dict(
            related_changes(changing, access, key, relation, target.access, target.row, place.stem)
        ),
    )
    if relation.linkable is None or target.key_part is None:
        return
    other = {**target.key_part, "name": "other"}
    changes = dict(link_changes(changing, access, relation, [key, other], place.stem))
    if changes:
        yield f"{path}/{{other}}", changes | {"options": _link_options(writing, place)}


def new_row_path(writing: Writing, access: Access) -> Iterator[tuple[str, PathItem]]:
    """The collection of a resource that the caller may add to and not read."""
    changes = dict(collection_changes(writing.changing, access, None) if writing.changing else ())
    if changes:
        yield collection_path(writing.base, access.resource.name), changes


def _collection(writing: Writing, described: Described) -> Place:
    resource = described.access.resource
    return Place(
        get_id=writing.operations.lists[resource.name],
        stem=plural(resource),
        summary=f"List {_spoken(plural(resource))}",
        tag=resource.name,
        parameters=described.parameters.collection,
        key=False,
        found=described.page,
        refusals=_LIST_REFUSALS,
        security=described.security,
    )


def _row(writing: Writing, described: Described, key: Reference) -> Place:
    resource = described.access.resource
    name = _spoken(singular(resource))
    content = {JSON: {"schema": described.row}, **HYPERMEDIA}
    found = answer(writing.responses, f"The {name}.", content)
    return Place(
        get_id=writing.operations.gets[resource.name],
        stem=singular(resource),
        summary=f"Read one {name}",
        tag=resource.name,
        parameters=[key, *described.parameters.item],
        key=True,
        found=found | links_from_row(described.access, writing.operations),
        refusals=_ROW_REFUSALS,
        security=described.security,
    )


def _sub_collection(
    writing: Writing, described: Described, key: Reference, relation: Relation
) -> Place:
    resource, target = described.access.resource, writing.described[relation.target]
    return Place(
        get_id=writing.operations.sub_lists[resource.name, relation.name],
        stem=stem(resource, relation),
        summary=f"List {_spoken(relation.name)} of one {_spoken(singular(resource))}",
        tag=resource.name,
        parameters=[key, *target.parameters.collection],
        key=True,
        found=target.page,
        refusals=_ROW_REFUSALS,
        security=described.security,
    )


def _path_item(writing: Writing, place: Place) -> PathItem:
    """GET, HEAD and OPTIONS. OPTIONS answers for any key: what is allowed is the same for all."""
    shared = writing.responses
    reading = {"tags": [place.tag], **place.security}
    asked = {"parameters": [*place.parameters, writing.conditional]}
    return {
        "get": {
            "operationId": place.get_id,
            "summary": place.summary,
            **reading,
            **asked,
            "responses": {
                "200": place.found,
                "304": shared.not_modified,
                **_by_status(shared.with_body, place.refusals),
            },
        },
        "head": {
            "operationId": writing.names.fresh(f"head_{place.stem}"),
            "summary": f"{place.summary}: headers only",
            **reading,
            **asked,
            "responses": {
                "200": shared.found,
                "304": shared.not_modified,
                **_by_status(shared.bare, place.refusals),
            },
        },
        "options": _options(writing, place, [_ANY_KEY] if place.key else []),
    }


def _link_options(writing: Writing, place: Place) -> PathItem:
    linking = replace(place, stem=f"{place.stem}_link")
    return _options(writing, linking, [_ANY_KEY, {**_ANY_KEY, "name": "other"}])


def _options(writing: Writing, place: Place, parameters: Sequence[Part]) -> PathItem:
    return {
        "operationId": writing.names.fresh(f"options_{place.stem}"),
        "summary": "Methods there are here",
        "tags": [place.tag],
        **({"parameters": parameters} if parameters else {}),
        "responses": {
            "204": writing.responses.allowed,
            **_by_status(writing.responses.with_body, _OPTIONS_REFUSALS),
        },
    }


def page_content(page: Reference) -> Mapping[str, Part]:
    """How a page is written: by Accept, the first when anything will do."""
    return {
        JSON: {"schema": page},
        CSV: _text("A header line, then a line per row (RFC 4180)."),
        NDJSON: _text("A row as JSON per line."),
        **HYPERMEDIA,
    }


def _text(wording: str) -> Part:
    return {"schema": {"type": "string", "description": wording}}


def index_of(writing: Writing) -> PathItem:
    """The list of resources at `/api` itself."""
    listed = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "href": {"type": "string", "format": "uri-reference"},
        },
        "required": ["name", "href"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"resources": {"type": "array", "items": listed}},
        "required": ["resources"],
        "additionalProperties": False,
    }
    found = {"description": "The resources there are.", "content": {JSON: {"schema": schema}}}
    refused = _by_status(writing.responses.with_body, (401, 406, 429))
    return {
        "get": {
            "operationId": writing.names.fresh("list_resources"),
            "summary": "List the resources",
            "responses": {"200": found, **refused},
        }
    }


def _by_status(refusals: Mapping[int, Reference], statuses: Sequence[int]) -> dict[str, Part]:
    return {str(status): refusals[status] for status in statuses if status in refusals}


def _spoken(name: str) -> str:
    return name.replace("_", " ")
