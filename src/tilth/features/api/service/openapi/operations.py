"""Resources → the names of their operations and of what these hand on to each other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tilth.features.api.service.addresses import Address
from tilth.features.api.service.openapi.components import Names
from tilth.features.api.service.openapi.view import View, is_addressable
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation, Resource

Links = dict[str, Any]

_VERBS = {"PUT": "replace", "PATCH": "update", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Operations:
    """operationIds: lists and gets by resource, sub-lists by resource and relation, what changes a
    row by resource and method.
    """

    lists: Mapping[str, str]
    gets: Mapping[str, str]
    sub_lists: Mapping[tuple[str, str], str]
    changes: Mapping[tuple[str, str], str]


def operations_of(view: View, names: Names) -> Operations:
    """`list_heroes`, `get_hero`, `list_teams_heroes`; the same as long as the names are."""
    accesses = list(view.accesses())
    lists = {a.resource.name: names.fresh(f"list_{plural(a.resource)}") for a in accesses}
    addressable = [access for access in accesses if is_addressable(access)]
    gets = {a.resource.name: names.fresh(f"get_{singular(a.resource)}") for a in addressable}
    sub_lists = {
        (a.resource.name, relation.name): names.fresh(f"list_{stem(a.resource, relation)}")
        for a in addressable
        for relation, _ in view.relations(a)
        if relation.many
    }
    changes = {
        (a.resource.name, method): names.fresh(f"{_VERBS[method]}_{singular(a.resource)}")
        for a in addressable
        for method in view.methods(Address("row", a.resource.name))
        if method in _VERBS
    }
    return Operations(lists, gets, sub_lists, changes)


def plural(resource: Resource) -> str:
    """`invoice_lines`."""
    return _words(resource.name)


def singular(resource: Resource) -> str:
    """`invoice_line`."""
    return _words(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", resource.title)).lower()


def stem(resource: Resource, relation: Relation) -> str:
    """`teams_heroes`."""
    return f"{plural(resource)}_{_words(relation.name)}"


def links_to_row(access: Access, operations: Operations) -> Links:
    """From a page to its first row. A key of several parts is more than one expression can say."""
    key = access.resource.key
    if len(key) != 1 or access.resource.name not in operations.gets:
        return {}
    get = operations.gets[access.resource.name]
    pointer = f"$response.body#/items/0/{_escaped(key[0])}"
    return {"links": {get: {"operationId": get, "parameters": {"key": pointer}}}}


def links_from_row(access: Access, operations: Operations) -> Links:
    """From a row that was read or changed to its sub-collections, and to what changes it again."""
    return _links_from(access, operations, "$request.path.key")


def links_from_new_row(access: Access, operations: Operations) -> Links:
    """From a row that was created: the same, and the row itself."""
    key = access.resource.key
    if len(key) != 1 or access.resource.name not in operations.gets:
        return {}
    pointer = f"$response.body#/{_escaped(key[0])}"
    get = operations.gets[access.resource.name]
    found = _links_from(access, operations, pointer).get("links", {})
    return {"links": {get: {"operationId": get, "parameters": {"key": pointer}}, **found}}


def _links_from(access: Access, operations: Operations, key: str) -> Links:
    name, parameters = access.resource.name, {"key": key}
    versioned = {**parameters, "If-Match": "$response.header.ETag"}
    lists = [op for (owner, _), op in operations.sub_lists.items() if owner == name]
    changes = [op for (changed, _), op in operations.changes.items() if changed == name]
    links = {
        **{each: {"operationId": each, "parameters": parameters} for each in lists},
        **{each: {"operationId": each, "parameters": versioned} for each in changes},
    }
    return {"links": links} if links else {}


def _escaped(name: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _words(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_") or "rows"
