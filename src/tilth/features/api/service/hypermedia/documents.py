"""Rows → HAL documents (draft-kelly-json-hal-11): `_links`, `_embedded`, and `_templates` of forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilth.features.api.service.hypermedia.drawing import Drawing
from tilth.features.api.service.hypermedia.templates import Forms, Templates
from tilth.features.api.service.links import item_path, key_of, related_path
from tilth.kernel.plan.shape import Branch
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.resource import Relation

Document = dict[str, Any]
Row = Mapping[str, Any]

RESERVED = frozenset({"_links", "_embedded", "_templates"})
"""Members that HAL gives a meaning of its own; a field so called is not answered."""

RELATIONS = frozenset({"self", "collection"})
"""Links that mean the same on every row; a relation so called has none."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the documents of rows in one place of an answer have in common.

    fields: those shown. key: fields that the address is made of; empty for rows that have none.
    ones: to-one relations whose fields tell the row they lead to. lists: sub-collections.
    below: relation → pattern of the rows expanded there. forms: None unless they are asked for.
    """

    base: str
    resource: str
    fields: tuple[str, ...]
    key: tuple[str, ...]
    ones: tuple[Relation, ...]
    lists: tuple[str, ...]
    below: Mapping[str, Pattern]
    forms: Forms | None

    def address(self, row: Row) -> str | None:
        """None where rows have no key."""
        return _path(self.base, self.resource, row, self.key)


def pattern_of(
    drawing: Drawing, access: Access, fields: Sequence[str], branches: Sequence[Branch] = ()
) -> Pattern:
    """Only of fields and resources that the caller may read."""
    resource = access.resource
    relations = [each for name, each in drawing.sight.relations(access) if name not in RELATIONS]
    below = {
        each.relation.name: pattern_of(
            drawing, each.node.access, each.node.fields, each.node.branches
        )
        for each in branches
    }
    return Pattern(
        drawing.base,
        resource.name,
        tuple(name for name in fields if name not in RESERVED),
        resource.key,
        tuple(each for each in relations if each.local and _readable(access, each.local)),
        tuple(each.name for each in relations if each.many),
        below,
        Forms(drawing, drawing.sight.rights(resource.name)) if drawing.forms else None,
    )


def _readable(access: Access, names: Sequence[str]) -> bool:
    return all(name in access.fields for name in names)


def row_document(
    pattern: Pattern, row: Row, more: Callable[[Row], Templates] | None = None
) -> Document:
    """more: templates that follow from where the row was found."""
    address = pattern.address(row)
    document = {name: row[name] for name in pattern.fields}
    document["_links"] = {rel: {"href": href} for rel, href in _links(pattern, row, address)}
    embedded = {name: found for name, found in _embedded(pattern, row) if found is not None}
    if pattern.below:
        document["_embedded"] = embedded
    if pattern.forms is not None:
        templates = pattern.forms.of_row(address, row)
        document["_templates"] = named(templates | (more(row) if more is not None else {}))
    return document


def named(templates: Templates) -> Templates:
    """HAL-FORMS wants exactly one to be called "default": the first."""
    return {
        name if place else "default": template
        for place, (name, template) in enumerate(templates.items())
    }


def _links(pattern: Pattern, row: Row, address: str | None) -> Iterator[tuple[str, str]]:
    if address is not None:
        yield "self", address
    for relation in pattern.ones:
        to = _path(pattern.base, relation.target, row, relation.local)
        # Expanded, it is known whether the caller may see the row.
        if to is not None and not (relation.name in pattern.below and row[relation.name] is None):
            yield relation.name, to
    if address is not None:
        for name in pattern.lists:
            yield name, related_path(address, name)


def _embedded(pattern: Pattern, row: Row) -> Iterator[tuple[str, Document | list[Document] | None]]:
    for name, below in pattern.below.items():
        found = row[name]
        if isinstance(found, list):
            yield name, [row_document(below, each) for each in found]
        else:
            yield name, None if found is None else row_document(below, found)


def _path(base: str, resource: str, row: Row, names: Sequence[str]) -> str | None:
    if not names or any(row[name] is None for name in names):
        return None
    return item_path(base, resource, key_of(row, names))
