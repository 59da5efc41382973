"""Lookups, `filter=` and `q=` → one condition over names that the actor may read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tilth.errors import BadRequest, bad_parameter
from tilth.kernel.plan.conditions import All, Condition, Either, Not, Related, Test
from tilth.kernel.plan.draft import Draft
from tilth.kernel.plan.grammar import parse_filter
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.lookups import (
    LOOKUPS,
    MOST_VALUES,
    parse_lookup,
    parse_texts,
    parse_truth,
    split_values,
)
from tilth.kernel.plan.sight import Sight, hint_at, relation_named, unknown_name
from tilth.kernel.plan.syntax import And, AnyOf, Compare, Expr, Negate, Or
from tilth.kernel.policy.access import Access
from tilth.kernel.schema.kinds import TEXT, Kind
from tilth.kernel.schema.resource import Field, Relation

HOPS = 6
SEARCH_WORDS = 10
LISTS = frozenset({"in", "range"})
PIECES = TEXT - {"iexact"}
"""Every text contains, starts and ends with the empty text."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Wording:
    """One comparison as asked.

    parameter: what to name in an error: "age__gte", "filter". texts: of the values, once it is known
    what they are compared with (None: with nothing, a relation is looked for); may raise ValueError.
    most: how many values a list may have.
    """

    parameter: str
    path: tuple[str, ...]
    lookup: str
    texts: Callable[[Kind | None], tuple[str, ...]]
    most: int = MOST_VALUES


def where_from(sight: Sight, draft: Draft, access: Access, intent: Intent) -> Condition | None:
    """Everything the rows must satisfy, or None when nothing is asked."""
    parts = [_from_lookup(sight, draft, access, *pair) for pair in intent.lookups]
    if intent.filter is not None:
        parts.append(_from_expression(sight, draft, access, parse_filter(intent.filter)))
    if intent.q is not None:
        parts.extend(_from_search(draft, access, intent.q))
    return parts[0] if len(parts) == 1 else All(tuple(parts)) if parts else None


def _from_lookup(
    sight: Sight, draft: Draft, access: Access, parameter: str, text: str
) -> Condition:
    path, lookup = parse_lookup(parameter, access.fields)

    def texts(kind: Kind | None) -> tuple[str, ...]:
        return split_values(text) if lookup in LISTS else (text,)

    wording = Wording(parameter, path, lookup, texts)
    return comparison(sight, draft, access, wording)


def comparison(sight: Sight, draft: Draft, access: Access, wording: Wording) -> Condition:
    """Walk the path: each step but the last is a relation, seen with the actor's own access."""
    head, *rest = wording.path
    if not rest and head in access.fields:
        return _test(draft, access, head, wording)
    if len(rest) > HOPS:
        detail = f"At most {HOPS} relations can be followed, not {len(rest)}."
        raise bad_parameter(wording.parameter, "too_deep", detail)
    relations = dict(sight.relations(access))
    if head in access.fields and head not in relations:
        raise _no_lookup(access.fields[head], wording, rest[0])
    if head not in relations:
        names = [*access.fields, *relations] if not rest else relations
        noun = "relation" if rest else "field"
        raise unknown_name(head, wording.parameter, access.resource.name, names, noun)
    target = sight.access(relations[head].target)
    if not rest:
        return _existence(relations[head], target, wording)
    below = comparison(sight, draft, target, replace(wording, path=tuple(rest)))
    return Related(relations[head], target, below)


def _no_lookup(field: Field, wording: Wording, name: str) -> BadRequest:
    """What follows a field is a mistyped lookup; in a filter, only a relation can be followed."""
    if wording.parameter == "filter":
        detail = f"{field.name!r} is a field, not a relation: it has no {name!r} of its own."
        return bad_parameter("filter", "unknown_relation", detail)
    known = [lookup for lookup in LOOKUPS if lookup in field.kind.lookups]
    listed = f"Lookups: {', '.join(known)}."
    detail = f"Field {field.name!r} has no lookup {name!r}.{hint_at(name, known)} {listed}"
    return bad_parameter(wording.parameter, "unknown_lookup", detail)


def _existence(relation: Relation, target: Access, wording: Wording) -> Condition:
    """`team__isnull=true`: there is no team, or none that the actor may see."""
    if wording.lookup != "isnull":
        key = target.resource.key[0] if target.resource.key else "field"
        detail = (
            f"{relation.name!r} is a relation: compare one of its fields, "
            f"such as {relation.name}__{key}, or use {relation.name}__isnull."
        )
        raise bad_parameter(wording.parameter, "relation", detail)
    exists = Related(relation, target, None)
    is_null = _parsed(wording, lambda: parse_truth(wording.texts(None)))
    return Not(exists) if is_null else exists


def _test(draft: Draft, access: Access, name: str, wording: Wording) -> Test:
    kind = access.fields[name].kind
    values = _parsed(
        wording, lambda: parse_texts(kind, wording.lookup, wording.texts(kind), wording.most)
    )
    if wording.lookup == "isnull":
        return Test(access, name, "isnull" if values[0] else "notnull", ())
    if wording.lookup == "in":
        values = _padded(values)
    if wording.lookup in PIECES and values == ("",):
        return Test(access, name, "notnull", ())
    return Test(access, name, wording.lookup, draft.slots(values))


def _parsed(wording: Wording, parse: Callable[[], Parsed]) -> Parsed:
    try:
        return parse()
    except ValueError as exc:
        name = "__".join(wording.path)
        raise bad_parameter(wording.parameter, "bad_value", f"{name}: {exc}") from exc


def _padded(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Repeat the last value up to a power of two: lists of 5 to 8 values share one statement."""
    if not values:
        return values
    size = 1 << (len(values) - 1).bit_length()
    return (*values, *[values[-1]] * (size - len(values)))


def _from_expression(sight: Sight, draft: Draft, access: Access, expr: Expr) -> Condition:
    match expr:
        case And(parts):
            return All(tuple(_from_expression(sight, draft, access, p) for p in parts))
        case Or(parts):
            return Either(tuple(_from_expression(sight, draft, access, p) for p in parts))
        case Negate(part):
            return Not(_from_expression(sight, draft, access, part))
        case AnyOf(path, inner):
            return _any_of(sight, draft, access, path, inner)
        case Compare(path, lookup, value):
            texts = value if isinstance(value, tuple) else (value,)
            wording = Wording("filter", path, lookup, lambda kind: texts)
            return comparison(sight, draft, access, wording)


def _any_of(
    sight: Sight, draft: Draft, access: Access, path: tuple[str, ...], inner: Expr | None
) -> Condition:
    relation = relation_named(sight, access, path[0], "filter")
    target = sight.access(relation.target)
    if len(path) > 1:
        return Related(relation, target, _any_of(sight, draft, target, path[1:], inner))
    below = _from_expression(sight, draft, target, inner) if inner is not None else None
    return Related(relation, target, below)


def _from_search(draft: Draft, access: Access, q: str) -> Iterator[Condition]:
    """Every word must be found, each in any of the declared fields, whatever its case."""
    names = [name for name in access.resource.search if name in access.fields]
    if not names:
        detail = f"{access.resource.name} has no fields to search; filter by a field instead."
        raise bad_parameter("q", "not_searchable", detail)
    words = q.split()
    if len(words) > SEARCH_WORDS:
        detail = f"At most {SEARCH_WORDS} words, not {len(words)}."
        raise bad_parameter("q", "too_many", detail)
    for word in words:
        yield Either(tuple(_containing(draft, access, name, word) for name in names))


def _containing(draft: Draft, access: Access, name: str, word: str) -> Test:
    return _test(draft, access, name, Wording("q", (name,), "icontains", lambda kind: (word,)))
