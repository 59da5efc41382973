"""Readable names → one query parameter that stands for every `?field__lookup=value`.

OpenAPI has no parameters with patterns in their names, and one parameter for each field and lookup
would make the document of a large database unreadable. But the properties of an object parameter
in style `form`, exploded, are query parameters of their own, and these may be given by patterns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tilth.features.api.service.openapi.components import Names
from tilth.features.api.service.openapi.values import COMPARISONS, escaped, lookup_values
from tilth.features.api.service.openapi.view import View
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.kinds import Kind
from tilth.kernel.schema.resource import Relation

MOST_HOPS = 60
"""Fields of related resources are listed up to this many, to keep the document readable."""

_WORDING = """\
Conditions as separate parameters, `?field__lookup=value`, all of which must hold. \
`in` takes up to 500 values and `range` two, separated by commas; \
a value with a comma stands in double quotes."""

_RELATED_WORDING = """\
Relations, up to six in a row, lead to fields elsewhere: `relation__field__lookup`. \
Of many rows it is enough that one matches; `relation__isnull=true` asks for none."""

_TRUTH = {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Names that take the same lookups with the same values. bare: a name alone means exact."""

    lookups: tuple[str, ...]
    bare: bool
    value: bytes


def lookups_parameter(view: View, access: Access) -> dict[str, Any]:
    return {
        "name": Names(access.fields).fresh("field__lookup"),
        "in": "query",
        "description": _description(view, access),
        "style": "form",
        "explode": True,
        "example": {},
        "schema": {
            "type": "object",
            "patternProperties": _pattern_properties(view, access),
            "additionalProperties": False,
        },
    }


def listed_hops(view: View, access: Access) -> Sequence[tuple[Relation, Access]]:
    """To-one relations whose fields are listed one by one; none when they are too many."""
    hops = [
        (relation, target)
        for relation, target in view.relations(access)
        if relation.single_row and not relation.many and is_plain(relation.name)
    ]
    return hops if sum(len(target.fields) for _, target in hops) <= MOST_HOPS else []


def is_plain(name: str) -> bool:
    """The name holds no separator of the query language."""
    return not ("__" in name or "." in name or "," in name or name.startswith("-"))


def _pattern_properties(view: View, access: Access) -> dict[str, Any]:
    names: dict[_Pattern, list[str]] = {}
    for name, kind, bare in _paths(view, access):
        for lookups, value in lookup_values(kind):
            may_be_bare = bare and COMPARISONS.issuperset(lookups)
            pattern = _Pattern(lookups, may_be_bare, orjson.dumps(value))
            names.setdefault(pattern, []).append(name)
    existence = _Pattern(("isnull",), bare=False, value=orjson.dumps(_TRUTH))
    for relation, _ in view.relations(access):
        names.setdefault(existence, []).append(relation.name)
    return {_regex(found, pattern): orjson.loads(pattern.value) for pattern, found in names.items()}


def _paths(view: View, access: Access) -> Iterator[tuple[str, Kind, bool]]:
    for name, field in access.fields.items():
        yield name, field.kind, False
    for relation, target in listed_hops(view, access):
        for name, field in target.fields.items():
            if is_plain(name):
                yield f"{relation.name}__{name}", field.kind, True


def _regex(names: Sequence[str], pattern: _Pattern) -> str:
    lookups = f"__(?:{'|'.join(pattern.lookups)})"
    return f"^(?:{'|'.join(map(escaped, names))}){f'(?:{lookups})?' if pattern.bare else lookups}$"


def _description(view: View, access: Access) -> str:
    lines = [_WORDING, "", *_lines_by_lookups(access)]
    relations = ", ".join(f"`{relation.name}`" for relation, _ in view.relations(access))
    if relations:
        lines += ["", f"{_RELATED_WORDING} Relations: {relations}."]
    return "\n".join(lines)


def _lines_by_lookups(access: Access) -> Iterator[str]:
    names: dict[tuple[str, ...], list[str]] = {}
    for name, field in access.fields.items():
        lookups = tuple(lookup for found, _ in lookup_values(field.kind) for lookup in found)
        names.setdefault(lookups, []).append(f"`{name}`")
    for lookups, found in names.items():
        yield f"- {', '.join(found)}: {', '.join(lookups)}"
