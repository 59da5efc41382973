"""Every protected field and every hidden row, tried by every actor: none is accepted.

The matrix is made from the schema of the heroes example, so a field or relation that is added to it
is tried as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from examples.heroes.app import heroes
from examples.heroes.data import seed
from examples.heroes.models import Base
from httpx import Response

from tilth import Actor, Tilth
from tilth.kernel.plan.body import why_not_writable
from tilth.kernel.policy.access import Rights
from tilth.kernel.schema.resource import Relation
from tilth.kernel.store.sync import sync_engine
from tilth.testing import actor_reader

Ask = Callable[..., Response]

ACTORS = {
    "nobody": None,
    "user-2": Actor("user-2"),
    "league": Actor("user-1", roles=frozenset({"league"})),
    "admin": Actor("boss", roles=frozenset({"admin"})),
    "both": Actor("boss", roles=frozenset({"admin", "league"})),
}
ALL = ACTORS["both"]

numbers = count(1)


def new_body(resource: str) -> dict[str, Any]:
    """A body that is accepted from whoever may create."""
    n = next(numbers)
    missing = {"hero_id": 1, "mission_id": str(UUID(int=n)), "part": "lead"}
    return {
        "teams": {"name": f"Team {n}", "city": "X", "founded_on": "2020-01-01"},
        "powers": {"name": f"Power {n}"},
        "heroes": {"name": f"Hero {n}", "joined_at": "2020-01-01T00:00:00Z"},
        "missions": {
            "id": str(UUID(int=n)),
            "codename": f"Mission {n}",
            "starts_at": "2020-01-01T00:00:00Z",
        },
        "hero-missions": missing,
    }[resource]


@pytest.fixture
def app(database_url: str, fill: Callable[..., None]) -> Tilth:
    fill(database_url, Base.metadata)
    engine = sync_engine(database_url)
    seed(engine)
    engine.dispose()
    app = heroes(database_url)
    app.add_reader(actor_reader)
    return app


@pytest.fixture
def ask(app: Tilth, serve: Callable[[Tilth], Ask]) -> Ask:
    return serve(app)


def keys(ask: Ask, resource: str, by: Actor | None, key: tuple[str, ...]) -> set[tuple[Any, ...]]:
    """Of the rows that somebody sees."""
    fields = ",".join(key)
    text = ask(f"/api/{resource}?fields={fields}", by=by, headers={"accept": "text/csv"}).text
    return {tuple(line.split(",")) for line in text.splitlines()[1:]}


def protected(rights: Rights) -> Iterator[tuple[str, bool, Any]]:
    """(name, at creation, a value) of each field that the actor may not write."""
    for name, field in rights.access.resource.fields.items():
        for creating in (True, False):
            hidden = name not in rights.access.fields
            if hidden or why_not_writable(rights, name, creating=creating):
                yield name, creating, _VALUES.get(field.kind.name, "x")


_VALUES = {"integer": 7, "decimal": "7.00", "boolean": True, "uuid": str(UUID(int=7))}


def test_no_protected_field_is_accepted(ask: Ask, app: Tilth) -> None:
    backend = app.freeze()
    accepted: list[tuple[object, ...]] = []
    tried = 0
    for who, actor in ACTORS.items():
        for resource in backend.schema.values():
            rights = backend.rulebook.rights(resource.name, actor or Actor())
            path = f"/api/{resource.name}"
            seen = sorted(keys(ask, resource.name, actor, resource.key))[:1]
            for name, creating, value in protected(rights):
                if creating:
                    answer = ask(
                        path, method="POST", by=actor, json=new_body(resource.name) | {name: value}
                    )
                else:
                    row = f"{path}/{','.join(seen[0])}"
                    answer = ask(row, method="PATCH", by=actor, json={name: value})
                tried += 1
                if answer.status_code not in (401, 403, 404, 422):
                    accepted.append((who, resource.name, name, creating, answer.status_code))

    assert accepted == []
    assert tried > 50


def to_one(app: Tilth) -> Iterator[tuple[str, Relation]]:
    for resource in app.freeze().schema.values():
        for relation in resource.relations.values():
            if relation.local:
                yield resource.name, relation


def test_no_hidden_row_is_referred_to(ask: Ask, app: Tilth) -> None:
    schema = app.freeze().schema
    accepted: list[tuple[object, ...]] = []
    tried = 0
    for who, actor in ACTORS.items():
        for name, relation in to_one(app):
            target = schema[relation.target]
            hidden = keys(ask, target.name, ALL, target.key) - keys(
                ask, target.name, actor, target.key
            )
            mine = sorted(keys(ask, name, actor, schema[name].key))[:1]
            for key in sorted(hidden)[:3]:
                number = target.fields[target.key[0]].kind.name == "integer"
                value = {
                    part: int(text) if number else text
                    for part, text in zip(target.key, key, strict=True)
                }
                body = new_body(name)
                body = {k: v for k, v in body.items() if k not in relation.local}
                answers = [
                    ask(
                        f"/api/{name}", method="POST", by=actor, json={**body, relation.name: value}
                    ),
                    ask(
                        f"/api/{name}/{','.join(mine[0])}",
                        method="PATCH",
                        by=actor,
                        json={relation.name: value},
                    ),
                ]
                tried += 2
                accepted += [
                    (who, name, relation.name, key, a.status_code)
                    for a in answers
                    if a.status_code < 400
                ]

    assert accepted == []
    assert tried > 10


def test_matrix_is_not_refused_for_another_reason(ask: Ask) -> None:
    """The same bodies, with nothing protected in them, are accepted from someone who may."""
    resources = ("teams", "powers", "heroes", "missions")
    answers = [
        ask(f"/api/{r}", method="POST", by=ALL, json=new_body(r)).status_code for r in resources
    ]

    assert answers == [201, 201, 201, 201]
