"""Readable names → the query parameters of a collection and of a row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tilth.features.api.service.openapi.components import Components, Part, Reference
from tilth.features.api.service.openapi.lookups import is_plain, listed_hops, lookups_parameter
from tilth.features.api.service.openapi.values import value_schema
from tilth.features.api.service.openapi.view import View
from tilth.kernel.plan import cursor, grammar
from tilth.kernel.plan.order import SORT_KEYS
from tilth.kernel.plan.read import DEFAULT_LIMIT, MOST_OFFSET, MOST_ROWS
from tilth.kernel.plan.tree import EXPAND_PATHS
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.checks import PARAMETERS

MOST_LISTED = 200
"""Names listed in one parameter, before only the nearest are."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """References to the parameters of one resource. matching: those that say which rows."""

    collection: Sequence[Reference]
    item: Sequence[Reference]
    matching: Sequence[Reference]


def shared_parameters(components: Components) -> Sequence[Reference]:
    """The parameters every collection takes alike."""
    return [components.add("parameters", part["name"], part) for part in _SHARED]


def parameters_of(
    view: View, access: Access, components: Components, shared: Sequence[Reference]
) -> Parameters:
    label = access.resource.name

    def add(part: Part) -> Reference:
        return components.add("parameters", f"{label}.{part['name']}", part)

    item = [add(part) for part in (_fields(access), *_expand(view, access))]
    matching = [add(part) for part in _matching(view, access)]
    sort, by_filter = add(_sort(view, access)), shared[0]
    return Parameters([*matching, sort, *item, *shared], item, [*matching, by_filter])


def _matching(view: View, access: Access) -> Iterator[Part]:
    yield from _exact(access)
    yield lookups_parameter(view, access)
    if any(name in access.fields for name in access.resource.search):
        yield _search(access)


def _exact(access: Access) -> Iterator[Part]:
    for name, field in access.fields.items():
        if "exact" in field.kind.lookups and name not in PARAMETERS:
            part = {"name": name, "in": "query", "schema": value_schema(field.kind)}
            yield part | ({"description": field.description} if field.description else {})


# What separates words, written out: \s is not the same in ECMAScript as in Python.
_SPACE = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
SEARCH_PATTERN = rf"^[{_SPACE}]*(?:[^\u0000{_SPACE}]+(?:[{_SPACE}]+|$)){{0,10}}$"


def _search(access: Access) -> Part:
    names = ", ".join(f"`{name}`" for name in access.resource.search if name in access.fields)
    return {
        "name": "q",
        "in": "query",
        "description": f"Words to find, up to ten, each in any of {names}, whatever its case.",
        "schema": {"type": "string", "pattern": SEARCH_PATTERN},
    }


def _sort(view: View, access: Access) -> Part:
    names = [n for n, field in access.fields.items() if field.kind.sortable and _is_listable(n)]
    names += [
        f"{relation.name}.{name}"
        for relation, target in listed_hops(view, access)
        for name, field in target.fields.items()
        if field.kind.sortable and is_plain(name)
    ]
    both = [sign + name for name in names for sign in ("", "-")]
    wording = (
        "Fields to sort by, `-` first for descending, null as the largest value. A field of a "
        "to-one relation is written `relation.field`. The key breaks ties."
    )
    return _names("sort", wording, both, SORT_KEYS)


def _fields(access: Access) -> Part:
    names = [name for name in access.fields if _is_listable(name)]
    wording = "Fields to answer with; those of an expanded row are written `relation.field`."
    return _names("fields", wording, names)


def _expand(view: View, access: Access) -> Iterator[Part]:
    """Absent without relations: there is nothing it could name."""
    near = [(r.name, target) for r, target in view.relations(access) if is_plain(r.name)]
    far = [
        f"{name}.{relation.name}"
        for name, target in near
        for relation, _ in view.relations(target)
        if is_plain(relation.name)
    ]
    names = [name for name, _ in near]
    listed = names + far if len(names) + len(far) <= MOST_LISTED else names
    wording = "Relations to answer with their rows, nested as `relation.relation`, up to four deep."
    if listed:
        yield _names("expand", wording, listed, EXPAND_PATHS)


def _names(name: str, wording: str, names: Sequence[str], at_most: int | None = None) -> Part:
    items = {"type": "string", "enum": list(names)}
    schema: dict[str, Any] = {"type": "array", "items": items, "minItems": 1}
    if at_most is not None:
        schema["maxItems"] = at_most
    return {
        "name": name,
        "in": "query",
        "description": wording,
        "style": "form",
        "explode": False,
        "schema": schema,
    }


def _is_listable(name: str) -> bool:
    """A name with a comma would be read as two."""
    return "," not in name and not name.startswith("-")


_FILTER = """\
A condition with `and`, `or`, `not` and parentheses: \
`(price > 10 and shop.city = "Oslo") or any(tags, name = "new")`.

Comparisons: `=` `!=` `<` `<=` `>` `>=`, `in (1, 2)`, `is null`, or a lookup's name, \
as in `name icontains "x"`. Text stands in quotes."""

_SHARED: Sequence[Part] = (
    {
        "name": "filter",
        "in": "query",
        "description": _FILTER,
        "schema": {
            "type": "string",
            "format": "tilth-filter",
            "minLength": 1,
            "maxLength": grammar.MOST_CHARACTERS,
        },
    },
    {
        "name": "limit",
        "in": "query",
        "description": f"Most rows on one page: {DEFAULT_LIMIT} when not given. "
        "Without it text/csv and application/x-ndjson hold every row.",
        "schema": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
    },
    {
        "name": "offset",
        "in": "query",
        "description": "Rows to skip. Not together with cursor, which is faster far into a list.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MOST_OFFSET},
    },
    {
        "name": "cursor",
        "in": "query",
        "description": "Where a page begins: found in `next` and `prev`, never made by hand.",
        "schema": {
            "type": "string",
            "format": "tilth-cursor",
            "pattern": "^[A-Za-z0-9_-]+$",
            "maxLength": cursor.MOST_CHARACTERS,
        },
    },
    {
        "name": "count",
        "in": "query",
        "description": "Whether `total` is counted: `none` when not given, `exact` reads every match.",
        "schema": {"type": "string", "enum": ["none", "exact", "estimated"]},
    },
)
