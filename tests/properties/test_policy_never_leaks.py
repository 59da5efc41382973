"""Random policies and random queries never answer what a plain-Python reading of them forbids."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties.world import (
    MODELS,
    RELATIONS,
    TO_ONE,
    Oracle,
    Row,
    Rules,
    actors,
    conditions,
    database_of,
    fill_world,
    in_order,
    many_examples,
    policies,
    policy,
)

from tilth.errors import BadRequest, Forbidden, Unauthenticated
from tilth.kernel.plan.cursor import Signer
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.read import plan_read
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.rulebook import Rulebook, chapter_from
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.store.engine import open_database
from tilth.kernel.store.run import Store
from tilth.settings import StoreSettings


@dataclass(frozen=True)
class Opened:
    store: Store
    schema: Any
    run: asyncio.Runner


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    with database_of(request, tmp_path_factory) as url, asyncio.Runner() as runner:
        fill_world(url)
        exposures = [Exposure(m) for m in MODELS.values()]
        schema, findings = schema_from(exposures, url.split(":")[0])
        assert findings == []
        database = open_database(url, StoreSettings())
        yield Opened(Store(database), schema, runner)
        runner.run(database.close())


def read(opened: Opened, given: dict[str, Rules], actor: Actor, intent: Intent) -> list[Row]:
    chapters = {name: chapter_from(opened.schema[name], policy(given[name])) for name in given}
    sight = Sight(opened.schema, Rulebook(chapters), actor)
    try:
        plan = plan_read(intent, sight, Signer(b"key"))
    except (Forbidden, Unauthenticated):
        return []
    return opened.run.run(opened.store.read(plan, actor)).rows


def answered(oracle: Oracle, resource: str, row: Row, expand: tuple[str, ...]) -> Row:
    """The row as it should be answered: a field denied by the actor alone is not there at all."""
    seen = oracle.seen(resource, row)
    for relation in expand:
        target = RELATIONS[resource][relation]
        found = [oracle.seen(target, other) for other in oracle.related(resource, row, relation)]
        is_one = (resource, relation) in TO_ONE
        seen[relation] = (found[0] if found else None) if is_one else found
    return seen


def without_hidden(row: Any, expected: Any) -> Any:
    """The expected answer without "rank" wherever the actual one leaves it out, which it may."""
    if isinstance(expected, dict) and isinstance(row, dict):
        return {
            name: without_hidden(row.get(name), value)
            for name, value in expected.items()
            if name in row or not (name == "rank" and value is None)
        }
    if isinstance(expected, list) and isinstance(row, list) and len(row) == len(expected):
        return [without_hidden(*pair) for pair in zip(row, expected, strict=True)]
    return expected


queries = st.sampled_from(sorted(MODELS)).flatmap(
    lambda resource: st.tuples(
        st.just(resource),
        st.none() | conditions(resource),
        st.sampled_from([(), ("name",), ("-name",), ("-id",)]),
        st.sets(st.sampled_from(sorted(RELATIONS[resource]))).map(lambda s: tuple(sorted(s))),
    )
)


@many_examples
@given(given_rules=policies, actor=actors, query=queries)
def test_answers_are_exactly_what_a_plain_reading_of_the_rules_allows(
    opened: Opened, given_rules: dict[str, Rules], actor: Actor, query: Any
) -> None:
    resource, condition, sort, expand = query
    oracle = Oracle(given_rules, actor)
    visible = {name for name in MODELS if not closed(opened, given_rules, actor, name)}
    expand = tuple(name for name in expand if RELATIONS[resource][name] in visible)
    intent = Intent(
        resource, filter=condition.text if condition else None, sort=sort, expand=expand
    )

    try:
        rows = read(opened, given_rules, actor, intent)
    except BadRequest:
        # The condition names a field or relation that this actor may not read at all.
        return

    wanted = [
        row
        for row in oracle.rows(resource)
        if condition is None or condition.decides(oracle, resource, row) is True
    ]
    expected = [answered(oracle, resource, row, expand) for row in in_order(wanted, sort)]
    assert rows == without_hidden(rows, expected)


def closed(opened: Opened, given: dict[str, Rules], actor: Actor, name: str) -> bool:
    """The actor alone decides that no row may be read."""
    chapter = chapter_from(opened.schema[name], policy(given[name]))
    return Rulebook({name: chapter}).access(name, actor).rows == "none"
