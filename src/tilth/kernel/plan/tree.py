"""`fields=` and `expand=` → the tree of nodes that will be answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tilth.errors import bad_parameter
from tilth.kernel.plan.shape import Branch, Node
from tilth.kernel.plan.sight import Sight, field_named, relation_named
from tilth.kernel.policy.access import Access

EXPAND_DEPTH = 4
EXPAND_PATHS = 20

Place = tuple[str, ...]
"""Where in the answer: () is the root, ("team",) the row expanded there."""


def tree_from(
    sight: Sight, access: Access, expand: Sequence[str], fields: Sequence[str] | None
) -> Node:
    """expand: paths such as "team" or "missions.hero", at most 20 of them and 4 deep.

    fields: names to answer with, those of an expanded row written "team.name"; None means all.
    """
    places = places_from(expand)
    return _node(sight, access, (), places, _chosen(fields, places))


def places_from(expand: Sequence[str]) -> dict[Place, None]:
    """Every place that is expanded, the places on the way included, in the order asked for."""
    if len(expand) > EXPAND_PATHS:
        detail = f"At most {EXPAND_PATHS} relations can be expanded, not {len(expand)}."
        raise bad_parameter("expand", "too_many", detail)
    places: dict[Place, None] = {}
    for path in expand:
        steps = tuple(path.replace("__", ".").split("."))
        if len(steps) > EXPAND_DEPTH:
            detail = f"{path!r} is {len(steps)} relations deep; at most {EXPAND_DEPTH}."
            raise bad_parameter("expand", "too_deep", detail)
        places |= dict.fromkeys(steps[: depth + 1] for depth in range(len(steps)))
    return places


def _chosen(fields: Sequence[str] | None, places: Mapping[Place, None]) -> dict[Place, list[str]]:
    """Names chosen per place; a place that is not mentioned answers with all its fields."""
    chosen: dict[Place, list[str]] = {}
    for path in fields or ():
        *steps, name = path.split(".")
        place = tuple(steps)
        if place and place not in places:
            place, name = (), path
        chosen.setdefault(place, []).append(name)
    return chosen


def _node(
    sight: Sight,
    access: Access,
    place: Place,
    places: Mapping[Place, None],
    chosen: Mapping[Place, Sequence[str]],
) -> Node:
    below = [p for p in places if len(p) == len(place) + 1 and p[: len(place)] == place]
    branches = tuple(_branch(sight, access, child, places, chosen) for child in below)
    expanded = {branch.relation.name for branch in branches}
    names = [n for n in chosen.get(place, access.fields) if n not in expanded]
    for name in names:
        _require_field(sight, access, place, name)
    return Node(access, tuple(dict.fromkeys(names)), branches)


def _require_field(sight: Sight, access: Access, place: Place, name: str) -> None:
    """Raises BadRequest; for what lies in a relation it says how that is answered too."""
    first, *rest = name.split(".")
    if name not in access.fields and first in dict(sight.relations(access)):
        way = ".".join((*place, first, *rest[:-1]))
        detail = f"{'.'.join((*place, name))!r} is answered when it is expanded: add expand={way}."
        raise bad_parameter("fields", "unknown_field", detail)
    field_named(access, name, "fields")


def _branch(
    sight: Sight,
    access: Access,
    place: Place,
    places: Mapping[Place, None],
    chosen: Mapping[Place, Sequence[str]],
) -> Branch:
    relation = relation_named(sight, access, place[-1], "expand")
    return Branch(relation, _node(sight, sight.access(relation.target), place, places, chosen))
