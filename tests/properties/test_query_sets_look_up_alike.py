"""What a query set is asked with Python values, it answers as the API does with their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from tests.properties.things import (
    LOOKUPS,
    ONLY_ANSWERED,
    SORTABLE,
    VALUES,
    Row,
    Served,
    Thing,
    World,
    filled,
    some_examples,
    url_text,
    worlds,
)

from tilth import Actor


@dataclass(frozen=True)
class Query:
    """lookups: with Python values. order: names as query sets spell them."""

    lookups: Mapping[str, Any]
    order: Sequence[str]

    @property
    def address(self) -> str:
        texts = {name: text_of(value) for name, value in self.lookups.items()}
        texts |= {"sort": ",".join(self.order).replace("__", ".")} if self.order else {}
        pairs = "&".join(f"{name}={quote(text, safe='')}" for name, text in texts.items())
        return f"/api/things?fields=id&limit=200&{pairs}"


def text_of(value: Any) -> str:
    if isinstance(value, list):
        return ",".join('"' + url_text(each).replace('"', '""') + '"' for each in value)
    return url_text(value)


@st.composite
def lookups(draw: st.DrawFn, rows: Sequence[Row]) -> tuple[str, Any]:
    name = draw(st.sampled_from([n for n in VALUES if n not in ONLY_ANSWERED]))
    lookup = draw(st.sampled_from(LOOKUPS[name]))
    path = draw(st.sampled_from(["", "", "parent__", "children__", "friends__"]))
    whole = f"{path}{name}__{lookup}"
    if lookup == "isnull":
        return whole, draw(st.booleans())
    stored = [row[name] for row in rows if row[name] is not None]
    values = st.sampled_from(stored) | VALUES[name] if stored else VALUES[name]
    if lookup in ("in", "range"):
        count = draw(st.integers(0, 3)) if lookup == "in" else 2
        return whole, [draw(values) for _ in range(count)]
    return whole, draw(values)


@st.composite
def queries(draw: st.DrawFn, rows: Sequence[Row]) -> Query:
    names = st.sampled_from([*SORTABLE, "parent__name", "parent__big", "parent__parent__exact"])
    signed = st.tuples(st.sampled_from(["", "-"]), names).map("".join)
    pairs = draw(st.lists(lookups(rows), min_size=1, max_size=2))
    return Query(dict(pairs), draw(st.lists(signed, max_size=2)))


@some_examples
@given(world=worlds, data=st.data())
def test_the_same_rows_in_the_same_order_as_over_http(
    both: tuple[Served, Served], world: World, data: st.DataObject
) -> None:
    rows = filled(both, world)
    for query in data.draw(st.lists(queries(rows), min_size=4, max_size=4)):
        for served in both:
            answer = served.ask(query.address)
            assert answer.status_code == 200, answer.text
            answered = [row["id"] for row in answer.json()["items"]]
            with served.app.scope(Actor(None), writes=False) as scope:
                found = scope.objects(Thing).filter(**query.lookups).order_by(*query.order)
                others = scope.objects(Thing).exclude(**query.lookups)

                assert [each.id for each in found] == answered
                assert (found.all().count(), found.all().exists()) == (
                    len(answered),
                    bool(answered),
                )
                # What is left out is exactly the rest, where nobody knows included.
                left = [each.id for each in others]
                assert sorted([*left, *answered]) == [row["id"] for row in rows]


@some_examples
@given(world=worlds, data=st.data())
def test_values_are_those_that_objects_hold(
    both: tuple[Served, Served], world: World, data: st.DataObject
) -> None:
    filled(both, world)
    name = data.draw(st.sampled_from(list(VALUES)))

    for served in both:
        with served.app.scope(Actor(None), writes=False) as scope:
            things = scope.objects(Thing).select_related("parent")
            told = things.values("id", name, f"parent__{name}")

            assert repr(told) == repr(
                [
                    {
                        "id": each.id,
                        name: getattr(each, name),
                        f"parent__{name}": getattr(each.parent, name, None),
                    }
                    for each in things
                ]
            )
