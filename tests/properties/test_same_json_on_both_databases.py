"""The same request has the same answer on SQLite and on PostgreSQL, and it is what the ORM loads.

One model has every kind of value and refers to itself, so that every kind also occurs expanded:
to-one (joined into the row) and to-many (collected in the database).
"""

from __future__ import annotations

import enum
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import orjson
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.orm import Session
from tests.properties.things import (
    EXPANSIONS,
    FIELDS,
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
    texts,
    url_text,
    worlds,
)


@st.composite
def lookups(draw: st.DrawFn, rows: Sequence[Row]) -> tuple[str, str]:
    """One parameter, its value mostly taken from a row."""
    name = draw(st.sampled_from([n for n in VALUES if n not in ONLY_ANSWERED]))
    lookup = draw(st.sampled_from(LOOKUPS[name]))
    path = draw(st.sampled_from(["", "parent__", "children__", "friends__"]))
    if lookup == "isnull":
        return f"{path}{name}__isnull", draw(st.sampled_from(["true", "false"]))
    stored = [row[name] for row in rows if row[name] is not None]
    values = st.sampled_from(stored) | VALUES[name] if stored else VALUES[name]
    count = {"in": draw(st.integers(0, 3)), "range": 2}.get(lookup, 1)
    written = [url_text(draw(values)) for _ in range(count)]
    if lookup in ("in", "range"):
        written = ['"' + text.replace('"', '""') + '"' for text in written]
    return f"{path}{name}__{lookup}", ",".join(written)


@st.composite
def queries(draw: st.DrawFn, rows: Sequence[Row]) -> dict[str, str]:
    sortable = st.sampled_from([*SORTABLE, "parent.name", "parent.big", "parent.parent.exact"])
    signed = st.tuples(st.sampled_from(["", "-"]), sortable).map("".join)
    asked = {
        "fields": draw(st.lists(st.sampled_from(FIELDS), unique=True, max_size=4)),
        "expand": draw(st.lists(st.sampled_from(EXPANSIONS), unique=True, max_size=2)),
        "sort": draw(st.lists(signed, max_size=3)),
    }
    options = {name: ",".join(names) for name, names in asked.items() if names}
    options |= dict(draw(st.lists(lookups(rows), max_size=2)))
    options |= draw(st.sampled_from([{}, {"count": "exact"}, {"count": "estimated"}]))
    words = draw(st.none() | texts.filter(str.strip))
    return options if words is None else {**options, "q": words}


def address(options: Mapping[str, str], path: str = "/api/things") -> str:
    query = "&".join(f"{name}={quote(text, safe='')}" for name, text in options.items())
    return f"{path}?{query}" if query else path


def body_of(response: httpx.Response) -> bytes:
    """Without the cursors, which carry what is stored."""
    return re.sub(rb'"(next|prev)":"[^"]*"', rb'"\1":"..."', response.content)


@some_examples
@given(world=worlds, data=st.data())
def test_same_request_same_answer(
    both: tuple[Served, Served], world: World, data: st.DataObject
) -> None:
    rows = filled(both, world)
    for options in data.draw(st.lists(queries(rows), min_size=4, max_size=4)):
        path = address(options)

        one, other = (served.ask(path) for served in both)

        assert (one.status_code, body_of(one)) == (other.status_code, body_of(other))
        assert one.status_code == 200, one.text


@some_examples
@given(world=worlds, data=st.data())
def test_pages_are_the_same_and_lead_to_the_end_and_back(
    both: tuple[Served, Served], world: World, data: st.DataObject
) -> None:
    rows = filled(both, world)
    options = {**data.draw(queries(rows)), "count": "none"}
    path = address({**options, "limit": str(data.draw(st.integers(1, 3)))})

    walks = [(*walked(served.ask, path), items(served.ask(address(options)))) for served in both]

    assert walks[0] == walks[1]
    forwards, backwards, whole = walks[0]
    assert [row for page in forwards for row in page] == whole
    assert backwards == forwards[::-1]


def walked(ask: Callable[[str], httpx.Response], path: str) -> tuple[list[Any], list[Any]]:
    """The pages to the end, and those from there back to the beginning."""
    page = ask(path).json()
    forwards = [page["items"]]
    while page["next"] and len(forwards) < 20:
        page = ask(page["next"]).json()
        forwards.append(page["items"])
    backwards = [page["items"]]
    while page["prev"] and len(backwards) < 20:
        page = ask(page["prev"]).json()
        backwards.append(page["items"])
    return forwards, backwards


def items(response: httpx.Response) -> Any:
    return response.json()["items"]


@some_examples
@given(world=worlds)
def test_answers_are_what_the_orm_loads(both: tuple[Served, Served], world: World) -> None:
    filled(both, world)
    path = "/api/things?expand=parent,children.friends,friends"

    answered = both[0].ask(path).json()["items"]

    with Session(both[0].engine) as session:
        loaded = session.scalars(select(Thing).order_by(Thing.id)).all()
        assert answered == [whole(thing) for thing in loaded]


def whole(thing: Thing) -> Row:
    """The thing with everything that is expanded; through orjson, as a client reads it."""
    row = converted(thing) | {
        "parent": None if thing.parent is None else converted(thing.parent),
        "children": [
            converted(child) | {"friends": [converted(friend) for friend in child.friends]}
            for child in thing.children
        ],
        "friends": [converted(friend) for friend in thing.friends],
    }
    return orjson.loads(orjson.dumps(row))  # type: ignore[no-any-return]


def converted(thing: Thing) -> Row:
    places = {"price": 2, "balance": 2, "exact": 10}
    return {name: json_value(getattr(thing, name), places.get(name, 0)) for name in FIELDS}


def json_value(value: Any, places: int = 0) -> Any:
    match value:
        case enum.Enum():
            return value.value
        case bytes():
            return b64encode(value).decode()
        case datetime():
            return value.replace(tzinfo=None).isoformat() + "Z"
        case date() | time() | UUID():
            return str(value) if isinstance(value, UUID) else value.isoformat()
        case timedelta():
            return TypeAdapter(timedelta).dump_python(value, mode="json")
        case Decimal():
            return f"{value:.{places}f}" if value.is_finite() else None
        case float():
            return value if isfinite(value) else None
        case int() if not -(2**63) <= value < 2**64:
            # Beyond 64 bits only a float carries an integer, as in any JavaScript client.
            return float(value)
        case list():
            return [json_value(item) for item in value]
        case dict():
            return {key: json_value(item) for key, item in value.items()}
    return value
