"""The address and the query of a GET → what it means to whoever asks, planned once.

A plan depends on the request's own bytes and on what the policies let this kind of actor see, and on
nothing else. So it is kept under both: for callers whom the policies treat alike it is the same
plan, in which `me.id` is still a parameter; nobody is ever given one that was made for others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.types import Scope

from tilth.features.api.service.links import (
    collection_path,
    link_header,
    parse_key,
    sent_path,
    with_parameters,
)
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.read import key_values
from tilth.kernel.plan.shape import ReadPlan
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.access import Access
from tilth.kit.recent import Recent

READINGS = 1_000
"""Kept at once: addresses with their queries, times the kinds of actors who ask."""

QUERY_BYTES = 1_000
"""A longer query is planned every time, so that what is kept stays small."""

Header = tuple[bytes, bytes]
Place = tuple[str, bytes, bytes]
"""root path, raw path (up to the key for one row, so ended by a slash), query."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A read as it was planned, and what of its answer is the same every time.

    plan: of one row, for whatever key. path: as clients address it, without a query; stem: with the
    query but for the place in the list. link: what every answer links to. parts: of the key.
    """

    intent: Intent
    plan: ReadPlan
    base: str
    path: str
    stem: str
    headers: tuple[Header, ...]
    link: str
    parts: int

    @property
    def is_row(self) -> bool:
        return bool(self.plan.shape.key_slots)

    def address(self, parameter: str, value: str) -> str:
        """Of another part of the same list."""
        return f"{self.stem}{'&' if '?' in self.stem else '?'}{parameter}={quote(value, safe='')}"

    def plan_of(self, key: tuple[str, ...]) -> ReadPlan:
        """The plan for the row with this key. Raises NotFound for what cannot be one."""
        plan = self.plan
        values = tuple(key_values(plan.shape.root.access, key))
        return ReadPlan(plan.shape, values, plan.fields, plan.limit)


def reading_from(
    scope: Scope, intent: Intent, plan: ReadPlan, base: str, headers: tuple[Header, ...]
) -> Reading:
    path, is_row = sent_path(scope), bool(plan.shape.key_slots)
    elsewhere = dict.fromkeys(("cursor", "offset"))
    links = [(scope.get("root_path", "") + "/openapi.json", "service-desc")]
    resource = plan.shape.root.access.resource
    if is_row:
        links.insert(0, (collection_path(base, resource.name), "collection"))
    return Reading(
        intent,
        plan,
        base,
        path,
        with_parameters(path, scope["query_string"], elsewhere),
        headers,
        link_header(links),
        len(resource.key),
    )


class Readings:
    """The readings asked for last. One object belongs to one application."""

    def __init__(self, size: int = READINGS) -> None:
        # What is looked at on the way to a plan decides who may share it: every resource that
        # planning asked the access to, for anyone so far.
        self._consulted: Recent[Place, tuple[str, ...]] = Recent(size)
        self._known: Recent[tuple[Place, tuple[Access, ...]], Reading] = Recent(size)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, scope: Scope, sight: Sight) -> tuple[Reading, ReadPlan] | None:
        """None when it has to be planned. Raises NotFound for what cannot be a key."""
        root, raw, query = (
            scope.get("root_path", ""),
            scope.get("raw_path") or b"",
            scope["query_string"],
        )
        reading = self._find((root, raw, query), sight)
        if reading is not None:
            return reading, reading.plan
        folder, _, name = raw.rpartition(b"/")
        reading = self._find((root, folder + b"/", query), sight)
        if reading is None or not name:
            return None
        return reading, reading.plan_of(parse_key(name, reading.parts))

    def _find(self, place: Place, sight: Sight) -> Reading | None:
        names = self._consulted.get(place)
        if names is None:
            return None
        return self._known.get((place, tuple([sight.access(name) for name in names])))

    def planned(self, scope: Scope, sight: Sight, make: Callable[[Sight], Reading]) -> Reading:
        """What make answers, kept for the next who asks the same and may see the same."""
        consulted: set[str] = set()
        reading = make(Sight(sight.schema, sight.rulebook, sight.actor, sight.hooks, consulted))
        query, raw = scope["query_string"], scope.get("raw_path") or b""
        if len(query) > QUERY_BYTES or len(raw) > QUERY_BYTES or not raw:
            return reading
        path = raw.rpartition(b"/")[0] + b"/" if reading.is_row else raw
        place = (scope.get("root_path", ""), path, query)
        names = tuple(sorted(consulted.union(self._consulted.get(place) or ())))
        self._consulted.keep(place, names)
        self._known.keep((place, tuple([sight.access(name) for name in names])), reading)
        return reading
