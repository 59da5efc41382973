"""`sort=-created_at,team.name` → sort keys that always end in the row's identity."""

from collections.abc import Iterable, Iterator, Sequence

from tilth.errors import bad_parameter
from tilth.kernel.plan.shape import Hop, SortKey
from tilth.kernel.plan.sight import Sight, field_named, relation_named
from tilth.kernel.policy.access import Access

SORT_KEYS = 8


def order_from(sight: Sight, access: Access, names: Sequence[str]) -> tuple[SortKey, ...]:
    """At most 8 names, each a field or a field of a to-one relation, "-" first for descending."""
    if len(names) > SORT_KEYS:
        raise bad_parameter("sort", "too_many", f"At most {SORT_KEYS} sort keys, not {len(names)}.")
    asked = [_key_from(sight, access, name) for name in names]
    return tuple(_without_repeats([*asked, *tie_breakers(access)]))


def tie_breakers(access: Access) -> Iterator[SortKey]:
    """The key, or for rows without one every field that can be sorted."""
    names = access.resource.key or [n for n, f in access.fields.items() if f.kind.sortable]
    for name in names:
        yield _key((), access, name, descending=False)


def _key_from(sight: Sight, access: Access, text: str) -> SortKey:
    key = place_from(sight, access, text.removeprefix("-"), descending=text.startswith("-"))
    kind = key.access.fields[key.field].kind
    if not kind.sortable:
        detail = f"{key.field!r} holds {kind.name} values, which have no order to sort by."
        raise bad_parameter("sort", "not_sortable", detail)
    return key


def place_from(sight: Sight, access: Access, path: str, *, descending: bool = False) -> SortKey:
    """A field, or a field of a to-one relation, whether or not its values have an order."""
    *hop_names, field_name = _steps(access, path)
    hops: list[Hop] = []
    here = access
    for name in hop_names:
        here = _hopped(sight, here, name, hops)
    if field_name not in here.fields and field_name in dict(sight.relations(here)):
        detail = f"{field_name!r} is a relation; name one of its fields."
        raise bad_parameter("sort", "not_sortable", detail)
    field_named(here, field_name, "sort")
    return _key(tuple(hops), here, field_name, descending=descending)


def _steps(access: Access, path: str) -> list[str]:
    return [path] if path in access.fields else path.replace("__", ".").split(".")


def _hopped(sight: Sight, here: Access, name: str, hops: list[Hop]) -> Access:
    relation = relation_named(sight, here, name, "sort")
    if relation.many or not relation.single_row:
        detail = f"{name!r} leads to several rows; name a field, or one of a to-one relation."
        raise bad_parameter("sort", "not_sortable", detail)
    target = sight.access(relation.target)
    hops.append(Hop(relation, target))
    return target


def _key(hops: tuple[Hop, ...], access: Access, name: str, *, descending: bool) -> SortKey:
    nullable = bool(hops) or name in access.masked or access.fields[name].nullable
    return SortKey(hops, access, name, descending, nullable)


def _without_repeats(keys: Iterable[SortKey]) -> Iterator[SortKey]:
    seen: set[tuple[tuple[str, ...], str]] = set()
    for key in keys:
        place = (tuple(hop.relation.name for hop in key.hops), key.field)
        if place not in seen:
            seen.add(place)
            yield key
