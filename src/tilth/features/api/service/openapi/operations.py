"""Resources → the names of their operations and of what these hand on to each other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tilth.features.api.service.openapi.components import Names
from tilth.features.api.service.openapi.view import View, is_addressable
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation, Resource

Links = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operations:
    """operationIds: lists and gets by resource, sub-lists by resource and relation."""

    lists: Mapping[str, str]
    gets: Mapping[str, str]
    sub_lists: Mapping[tuple[str, str], str]


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
    return Operations(lists, gets, sub_lists)


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
    pointer = key[0].replace("~", "~0").replace("/", "~1")
    link = {"operationId": get, "parameters": {"key": f"$response.body#/items/0/{pointer}"}}
    return {"links": {get: link}}


def links_to_lists(access: Access, operations: Operations) -> Links:
    """From a row to its sub-collections."""
    found = [
        operation
        for (resource_name, _), operation in operations.sub_lists.items()
        if resource_name == access.resource.name
    ]
    parameters = {"key": "$request.path.key"}
    links = {each: {"operationId": each, "parameters": parameters} for each in found}
    return {"links": links} if links else {}


def _words(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_") or "rows"
