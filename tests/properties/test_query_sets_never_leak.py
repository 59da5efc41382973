"""Random policies and random query sets never yield a row, or a value, that the rules forbid.

Not as an object, nor through any relation of one however it is loaded, nor as values or numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, inspect
from sqlalchemy.orm import Session
from tests.properties.world import (
    MODELS,
    NAMES,
    RELATIONS,
    TO_ONE,
    Oracle,
    Row,
    Rules,
    Truth,
    actors,
    database_of,
    fill_world,
    in_order,
    many_examples,
    policies,
    policy,
    unless_null,
)

from tilth.errors import QueryError
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.rulebook import Rulebook, chapter_from
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.resource import Schema
from tilth.kernel.store.engine import database_url, open_database
from tilth.kernel.store.objects.query_set import QuerySet
from tilth.kernel.store.objects.scopes import Life, PlainScope
from tilth.kernel.store.outbox import Outbox
from tilth.kernel.store.record import Records
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.sessions.loads import Fetch
from tilth.kernel.store.sessions.sessions import Sessions
from tilth.kernel.store.writing import open_sessions
from tilth.kit.clock import now
from tilth.kit.ids import uuid7
from tilth.settings import StoreSettings

Decides = Callable[[Oracle, str, Row], Truth]
Rows = QuerySet[Any]


@dataclass(frozen=True)
class Opened:
    schema: Schema
    sessions: Sessions
    records: Records

    @contextmanager
    def scope(self, rules: dict[str, Rules], actor: Actor, fetch: Fetch) -> Iterator[PlainScope]:
        chapters = {name: chapter_from(self.schema[name], policy(rules[name])) for name in rules}
        sight = Sight(self.schema, Rulebook(chapters), actor)

        def begin(session: Session) -> Scope:
            return Scope(session, sight, self.records, Outbox(is_kept=False), now, uuid7)

        with self.sessions.plain(begin, writes=False) as (work, session):
            yield PlainScope(work, Life(session), fetch)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    with database_of(request, tmp_path_factory) as url:
        fill_world(url)
        exposures = [Exposure(each) for each in MODELS.values()]
        schema, findings = schema_from(exposures, url.split(":")[0])
        assert findings == []
        settings = StoreSettings()
        sessions = open_sessions(database_url(url), "world", settings, None)
        yield Opened(schema, sessions, Records(open_database(url, settings).dialect))
        with asyncio.Runner() as runner:
            runner.run(sessions.close())


@dataclass(frozen=True)
class Step:
    """One step of a query set, twice: as it is taken, and as the oracle decides."""

    take: Callable[[Rows], Rows]
    keeps: Callable[[Oracle, str, Row], bool]


@st.composite
def lookups(draw: st.DrawFn, resource: str) -> tuple[dict[str, Any], Decides]:
    """`name="a"`, `rank__gte=2`, `books__name="a"`, `author=None` …"""
    relation = draw(st.none() | st.sampled_from(sorted(RELATIONS[resource])))
    name = draw(st.sampled_from(["rank", "name"]))
    value: Any = draw(st.none() | (st.integers(0, 3) if name == "rank" else st.sampled_from(NAMES)))
    lookup = draw(st.sampled_from(["exact", "gte", "ne"])) if value is not None else "exact"
    test = {"exact": "__eq__", "gte": "__ge__", "ne": "__ne__"}[lookup]

    def decides(oracle: Oracle, target: str, row: Row) -> Truth:
        stored = oracle.seen(target, row)[name]
        if value is None:
            return stored is None
        return unless_null(stored, lambda: bool(getattr(stored, test)(value)))

    if relation is None:
        return {f"{name}__{lookup}": value}, decides
    if draw(st.booleans()):
        return {f"{relation}__isnull": True}, lambda o, n, row: not o.related(n, row, relation)
    target = RELATIONS[resource][relation]
    return {f"{relation}__{name}__{lookup}": value}, lambda oracle, n, row: any(
        decides(oracle, target, other) is True for other in oracle.related(n, row, relation)
    )


@st.composite
def steps(draw: st.DrawFn, resource: str) -> Step:
    given_lookups, decides = draw(lookups(resource))
    if draw(st.booleans()):
        return Step(
            lambda rows: rows.exclude(**given_lookups),
            lambda oracle, name, row: decides(oracle, name, row) is not True,
        )
    return Step(
        lambda rows: rows.filter(**given_lookups),
        lambda oracle, name, row: decides(oracle, name, row) is True,
    )


queries = st.sampled_from(sorted(MODELS)).flatmap(
    lambda resource: st.tuples(
        st.just(resource),
        st.lists(steps(resource), max_size=3),
        st.sampled_from([(), ("name",), ("-name",), ("-id",)]),
    )
)


def asked(scope: PlainScope, resource: str, taken: list[Step], order: tuple[str, ...]) -> Rows:
    rows = scope.objects(MODELS[resource]).order_by(*order)
    for step in taken:
        rows = step.take(rows)
    return rows


def wanted(oracle: Oracle, resource: str, taken: list[Step], order: tuple[str, ...]) -> list[Row]:
    rows = oracle.rows(resource)
    return in_order([r for r in rows if all(s.keeps(oracle, resource, r) for s in taken)], order)


@many_examples
@given(rules=policies, actor=actors, query=queries)
def test_rows_values_and_numbers_are_exactly_what_the_rules_allow(
    opened: Opened, rules: dict[str, Rules], actor: Actor, query: Any
) -> None:
    resource, taken, order = query
    oracle = Oracle(rules, actor)

    with opened.scope(rules, actor, "peers") as scope:
        try:
            rows = asked(scope, resource, taken, order)
        except QueryError:
            # It names a field or a relation that this actor may not read at all.
            return
        found = list(rows)
        expected = wanted(oracle, resource, taken, order)

        assert [each.id for each in found] == [row["id"] for row in expected]
        assert all(holds_nothing_hidden(oracle, resource, each) for each in found)
        assert (rows.all().count(), rows.all().exists()) == (len(expected), bool(expected))
        assert rows.aggregate(n=func.count()) == {"n": len(expected)}
        fields = [name for name in ("id", "name", "rank") if readable(scope, resource, name)]
        seen = [oracle.seen(resource, row) for row in expected]
        assert rows.values(*fields) == [{name: row[name] for name in fields} for row in seen]
        assert [each.id for each in rows.iterator(2)] == [row["id"] for row in expected]


def readable(scope: PlainScope, resource: str, name: str) -> bool:
    return name in scope.objects(MODELS[resource])._query.access.fields


def holds_nothing_hidden(oracle: Oracle, resource: str, found: Any) -> bool:
    """Where the rule for "rank" says no, the column was not loaded."""
    row = next(each for each in oracle.rows(resource) if each["id"] == found.id)
    held = inspect(found).dict
    return "rank" not in held or oracle.seen(resource, row)["rank"] == held["rank"]


WAYS: list[Fetch | str] = ["peers", "one", "beside"]


@many_examples
@given(
    rules=policies,
    actor=actors,
    resource=st.sampled_from(sorted(MODELS)),
    way=st.sampled_from(WAYS),
    data=st.data(),
)
def test_no_relation_of_an_object_leads_to_what_the_rules_forbid(
    opened: Opened, rules: dict[str, Rules], actor: Actor, resource: str, way: Any, data: Any
) -> None:
    oracle = Oracle(rules, actor)
    near = data.draw(st.sampled_from(sorted(RELATIONS[resource])))
    far = data.draw(st.sampled_from(sorted(RELATIONS[RELATIONS[resource][near]])))

    with opened.scope(rules, actor, "raise" if way == "beside" else way) as scope:
        rows: Rows = scope.objects(MODELS[resource]).order_by("id")
        if way == "beside":
            is_one = (resource, near) in TO_ONE and (RELATIONS[resource][near], far) in TO_ONE
            joined = is_one and data.draw(st.booleans())
            path = f"{near}__{far}"
            try:
                rows = rows.select_related(path) if joined else rows.prefetch(path)
            except QueryError:
                # A relation to rows of which this actor may see none.
                return
        walked = {each.id: walked_from(oracle, resource, each, near, far) for each in rows}

    assert walked == {
        row["id"]: {
            other["id"]: ids_of(oracle.related(RELATIONS[resource][near], other, far))
            for other in oracle.related(resource, row, near)
        }
        for row in oracle.rows(resource)
    }


def walked_from(
    oracle: Oracle, resource: str, found: Any, near: str, far: str
) -> dict[int, frozenset[int]]:
    target = RELATIONS[resource][near]
    others = listed(getattr(found, near))
    assert all(holds_nothing_hidden(oracle, target, other) for other in others)
    return {
        other.id: frozenset(each.id for each in listed(getattr(other, far))) for other in others
    }


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def ids_of(rows: list[Row]) -> frozenset[int]:
    return frozenset(row["id"] for row in rows)
