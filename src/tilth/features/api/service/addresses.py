"""The path of a request below /api → what it is the address of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from starlette.types import Scope

from tilth.errors import NotFound
from tilth.features.api.service.links import parse_key, sent_path
from tilth.kernel.plan.sight import Sight, entered

Place = Literal["index", "batch", "work", "collection", "row", "related", "link"]


@dataclass(frozen=True, slots=True)
class Address:
    """`/api/heroes/7/powers/3`: resource "heroes", key ("7",), relation "powers", other ("3",)."""

    place: Place
    resource: str = ""
    key: tuple[str, ...] | None = None
    relation: str | None = None
    other: tuple[str, ...] | None = None


def address_of(segments: Sequence[str], sight: Sight) -> Address:
    """Names are not looked up yet, except to know how many parts a key has."""
    if not segments:
        return Address("index")
    if list(segments) == ["batch"]:
        return Address("batch")
    if segments[0] == "work" and len(segments) == 2:
        return Address("work", other=(segments[1],))
    if len(segments) > 4 or "" in segments:
        raise NotFound("There is nothing at this address.")
    resource = parse_key(segments[0], 1)[0]
    if len(segments) == 1:
        return Address("collection", resource)
    key = parse_key(segments[1], _key_parts(sight, resource))
    if len(segments) == 2:
        return Address("row", resource, key)
    relation = parse_key(segments[2], 1)[0]
    if len(segments) == 3:
        return Address("related", resource, key, relation)
    other = parse_key(segments[3], _other_parts(sight, resource, relation))
    return Address("link", resource, key, relation, other)


def _key_parts(sight: Sight, resource: str) -> int:
    found = sight.schema.get(resource)
    return len(found.key) if found is not None else 1


def _other_parts(sight: Sight, resource: str, relation: str) -> int:
    found = sight.schema.get(resource)
    related = found.relations.get(relation) if found is not None else None
    return len(sight.schema[related.target].key) if related is not None else 1


def check_is_here(sight: Sight, address: Address) -> None:
    """Raises NotFound, Unauthenticated or Forbidden: what may not be read has no methods either."""
    if address.place in ("index", "batch", "work"):
        return
    access = entered(sight, address.resource)
    if address.relation is None:
        return
    relation = dict(sight.relations(access)).get(address.relation)
    is_link = address.place == "link"
    if relation is None or not relation.many or (is_link and relation.linkable is None):
        raise NotFound(f"{address.resource} has no collection {address.relation!r}.")


def segments_of(scope: Scope, prefix: str) -> list[str]:
    """Of the address as it was sent: a key may hold an encoded slash."""
    path, rooted = sent_path(scope), quote(scope.get("root_path", "") + prefix)
    below = path.removeprefix(rooted if path.startswith(rooted) else prefix)
    return below.removeprefix("/").split("/") if below else []
