"""Schema → every type of event that can happen, and which of them a pattern means."""

from __future__ import annotations

from collections.abc import Iterator

from tilth.kernel.events.event import Verb, event_type
from tilth.kernel.schema.resource import Resource, Schema

ANY = ".*"
"""The end of a pattern that means every verb of one resource."""

Catalog = tuple[str, ...]
"""Types of events, in the order of the resources."""

_ROWS: tuple[Verb, ...] = ("created", "updated", "deleted")
_LINKS: tuple[Verb, ...] = ("linked", "unlinked")


def catalog_from(schema: Schema) -> Catalog:
    """Whether any policy lets it happen is not asked."""
    types = (event_type(each, verb) for each in schema.values() for verb in _verbs(each))
    return tuple(dict.fromkeys(types))


def _verbs(resource: Resource) -> Iterator[Verb]:
    yield from _ROWS
    if any(relation.links is not None for relation in resource.relations.values()):
        yield from _LINKS


def matching(pattern: str, catalog: Catalog) -> Catalog:
    """pattern: a type, or "hero.*". Empty when it means nothing that can happen."""
    if pattern.endswith(ANY):
        start = pattern.removesuffix("*")
        return tuple(each for each in catalog if each.startswith(start))
    return tuple(each for each in catalog if each == pattern)
