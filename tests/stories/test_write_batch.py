"""Several changes in one request: all of them or none, and later ones build on earlier ones."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import JSON, Column, Engine, ForeignKey, String, Table, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Actor, Policy, Tilth, me, public, signed_in
from tilth.testing import actor_reader

Ask = Callable[..., Response]
Operation = dict[str, Any]


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    heroes: Mapped[list[Hero]] = relationship(back_populates="team")


hero_power = Table(
    "hero_power",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("power_code", ForeignKey("power.code"), primary_key=True),
)


class Hero(Base):
    """Everybody reads the heroes that are nobody's, and their own."""

    __tablename__ = "hero"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)
    owner_id: Mapped[str | None] = mapped_column(String(20))
    secret: Mapped[str | None] = mapped_column(String(20))
    notes: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")
    powers: Mapped[list[Power]] = relationship(secondary=hero_power)


class Power(Base):
    __tablename__ = "power"
    code: Mapped[str] = mapped_column(String(20), primary_key=True)


class Rule(Base):
    """Changed only by who knows what it is now."""

    __tablename__ = "rule"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(20))


class Size(enum.Enum):
    """Python has no order for its members."""

    small = "small"
    large = "large"


class Shelf(Base):
    __tablename__ = "shelf"
    size: Mapped[Size] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


ANN, BEN = Actor("ann"), Actor("ben")


@pytest.fixture
def app(database_url: str, fill: Callable[..., None]) -> Tilth:
    rows = [
        Team(name="red"),
        Hero(name="flash", owner_id="ann"),
        Hero(name="night", owner_id="ben"),
        Power(code="../teams/1"),
        Rule(text="one"),
        Shelf(size=Size.small),
        Shelf(size=Size.large),
    ]
    fill(database_url, Base.metadata, rows)
    app = Tilth(database_url, readers=[actor_reader])
    app.expose(Team, Policy(read=public, create=signed_in, update=signed_in))
    app.expose(
        Hero,
        Policy(
            read=(Hero.owner_id == me.id) | Hero.owner_id.is_(None),
            write=Hero.owner_id == me.id,
            preset={"owner_id": me.id},
            hidden=("secret",),
        ),
    )
    app.expose(Power, Policy(read=public, write=signed_in))
    app.expose(Rule, Policy(read=public, write=signed_in), require_if_match=True)
    app.expose(Shelf, Policy(read=public, write=signed_in))
    return app


@pytest.fixture
def ask(app: Tilth, serve: Callable[[Tilth], Ask]) -> Ask:
    return serve(app)


def batch(ask: Ask, *operations: Operation, by: Actor = ANN, **options: Any) -> Response:
    body = {"operations": list(operations)}
    return ask("/api/batch", method="POST", json=body, by=by, **options)


def op(method: str, path: str, body: Any = None, **more: Any) -> Operation:
    return {"method": method, "path": path} | ({} if body is None else {"body": body}) | more


def faults(answer: Response) -> dict[str, str]:
    return {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}


def names(ask: Ask, path: str = "/api/heroes", by: Actor = ANN) -> list[str]:
    return [row["name"] for row in ask(path, by=by).json()["items"]]


def test_rows_are_changed_whatever_their_keys_are(ask: Ask) -> None:
    paths = ("/api/shelves/large", "/api/shelves/small", "/api/teams/1", "/api/shelves/none")
    bodies: list[dict[str, Any]] = [{"count": 2}, {"count": 1}, {"name": "blue"}]

    answer = batch(
        ask, *(op("PATCH", path, body) for path, body in zip(paths, bodies, strict=False))
    )
    absent = batch(ask, *(op("DELETE", path) for path in paths if "shelves" in path))

    assert answer.status_code == 200, answer.text
    assert absent.status_code == 404
    found = {each["size"]: each["count"] for each in ask("/api/shelves").json()["items"]}
    assert found == {"small": 1, "large": 2}


def test_later_operations_build_on_earlier_ones(ask: Ask) -> None:
    answer = batch(
        ask,
        op("POST", "/api/teams", {"name": "blue"}, name="team"),
        op("POST", "/api/heroes", {"name": "kid", "team": {"id": {"$ref": "team.id"}}}),
        op("PATCH", "/api/heroes/{$ref:1.id}", {"name": "grown"}),
        op("POST", "/api/teams/{$ref:team.id}/heroes", {"name": "twin"}),
        op("PUT", "/api/heroes/{$ref:1.id}/powers/%2E%2E%2Fteams%2F1"),
        op("DELETE", "/api/heroes/{$ref:3.id}"),
    )

    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [201, 201, 200, 201, 204, 204]
    assert results[2]["body"]["team_id"] == results[0]["body"]["id"]
    read = ask(results[1]["headers"]["location"], by=ANN)
    assert read.json() == results[2]["body"]
    assert read.headers["etag"] == results[2]["headers"]["etag"]
    assert names(ask) == ["flash", "grown"]


def test_value_of_a_reference_is_one_part_of_a_key(ask: Ask) -> None:
    """It cannot lead to another address, whatever it holds."""
    answer = batch(
        ask,
        op("PUT", "/api/powers/%2E%2E%2Fteams%2F1", {}, name="power"),
        op("DELETE", "/api/powers/{$ref:power.code}"),
    )

    assert [result["status"] for result in answer.json()["results"]] == [200, 204]
    assert names(ask, "/api/teams") == ["red"]


REFUSED: dict[str, tuple[Operation, int, dict[str, str]]] = {
    "a bad value": (
        op("POST", "/api/teams", {"name": 5, "nam": 1}),
        422,
        {"/operations/1/body/name": "bad_value", "/operations/1/body/nam": "unknown_field"},
    ),
    "a taken name": (
        op("POST", "/api/teams", {"name": "red"}),
        409,
        {"/operations/1/body/name": "unique"},
    ),
    "a hidden row": (op("PATCH", "/api/heroes/2", {}), 404, {"/operations/1": "not_found"}),
    "a reference to a hidden row": (
        op("POST", "/api/rules/1/heroes", {}),
        404,
        {"/operations/1": "not_found"},
    ),
    "what nobody may": (op("DELETE", "/api/teams/1"), 405, {"/operations/1": "method_not_allowed"}),
    "a change of all rows": (
        op("DELETE", "/api/heroes"),
        405,
        {"/operations/1": "method_not_allowed"},
    ),
    "a path that climbs": (
        op("POST", "/api/../admin", {}),
        404,
        {"/operations/1": "not_found"},
    ),
    "an encoded path": (
        op("POST", "/api/%2e%2e%2fadmin", {}),
        404,
        {"/operations/1": "not_found"},
    ),
    "another version": (
        op("PATCH", "/api/teams/1", {}, if_match='"x"'),
        412,
        {"/operations/1": "precondition_failed"},
    ),
    "no version": (
        op("PATCH", "/api/rules/1", {}),
        428,
        {"/operations/1": "precondition_required"},
    ),
    "no body": (op("POST", "/api/teams"), 422, {"/operations/1/body": "required"}),
    "a list": (op("POST", "/api/teams", [{}]), 422, {"/operations/1/body": "bad_value"}),
    "a field that is not there": (
        op("PATCH", "/api/heroes/1", {"team_id": {"$ref": "first.nothing"}}),
        422,
        {"/operations/1/body/team_id": "bad_reference"},
    ),
    "a field that is hidden": (
        op("PATCH", "/api/heroes/1", {"name": {"$ref": "first.secret"}}),
        422,
        {"/operations/1/body/name": "bad_reference"},
    ),
    "an address made of null": (
        op("DELETE", "/api/heroes/{$ref:first.team_id}"),
        422,
        {"/operations/1/path": "bad_reference"},
    ),
}


@pytest.mark.parametrize(
    ("path", "methods"), [("/api/teams/1", "PUT, PATCH"), ("/api/heroes", "POST")]
)
def test_methods_that_are_named_are_those_of_a_batch(ask: Ask, path: str, methods: str) -> None:
    refused = ask("/api/batch", method="POST", json={"operations": [op("DELETE", path)]})

    assert (refused.status_code, refused.headers["allow"]) == (405, methods)


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_kept_when_an_operation_is_refused_for(ask: Ask, case: str) -> None:
    operation, status, expected = REFUSED[case]

    refused = batch(ask, op("POST", "/api/heroes", {"name": "kid"}, name="first"), operation)

    assert (refused.status_code, faults(refused)) == (status, expected)
    assert refused.json()["detail"].startswith("Operation 1: ")
    assert names(ask) == ["flash"]


MALFORMED: dict[str, tuple[Any, dict[str, str]]] = {
    "no list": ({"operations": {}}, {"/operations": "bad_value"}),
    "none": ({"operations": []}, {"/operations": "bad_value"}),
    "101": ({"operations": [op("DELETE", "/api/x/1")] * 101}, {"/operations": "bad_value"}),
    "every fault at once": (
        {
            "operation": [],
            "operations": [
                5,
                op("GET", "/api/heroes"),
                op("POST", "http://else.where/api/heroes", {}),
                op("POST", "/admin", {}),
                op("POST", "/api/batch", {"operations": []}),
                op("POST", "/api/heroes?dry", {}, if_match="x", mehtod=1),
                op("DELETE", "/api/heroes/1", {"a": 1}, if_match=7),
            ],
        },
        {
            "/operation": "unknown_field",
            "/operations/0": "bad_value",
            "/operations/1/method": "bad_value",
            "/operations/2/path": "bad_value",
            "/operations/3/path": "bad_value",
            "/operations/4/path": "bad_value",
            "/operations/5/path": "bad_value",
            "/operations/5/if_match": "bad_value",
            "/operations/5/mehtod": "unknown_field",
            "/operations/6/body": "bad_value",
            "/operations/6/if_match": "bad_value",
        },
    ),
    "names and references": (
        {
            "operations": [
                op("PATCH", "/api/heroes/{$ref:later.id}", {"a/b": [{"$ref": "0.id"}]}),
                op("DELETE", "/api/heroes/{$ref:id}", name="later"),
                op("POST", "/api/teams", {"name": {"$ref": 7}}, name="later"),
                op("POST", "/api/teams", {"name": {"$ref": "3.id"}}, name="1"),
            ]
        },
        {
            "/operations/0/path": "bad_reference",
            "/operations/0/body/a~1b/0": "bad_reference",
            "/operations/1/path": "bad_reference",
            "/operations/2/body/name": "bad_reference",
            "/operations/2/name": "bad_value",
            "/operations/3/body/name": "bad_reference",
            "/operations/3/name": "bad_value",
        },
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_422_for_a_batch_with(ask: Ask, case: str) -> None:
    body, expected = MALFORMED[case]

    refused = ask("/api/batch", method="POST", json=body, by=ANN)

    assert (refused.status_code, faults(refused)) == (422, expected)


def test_operation_changes_the_version_that_it_names(ask: Ask) -> None:
    seen = ask("/api/rules/1").headers["etag"]

    first = batch(ask, op("PATCH", "/api/rules/1", {"text": "two"}, if_match=seen))
    late = batch(ask, op("DELETE", "/api/rules/1", if_match=seen))

    assert (first.status_code, late.status_code) == (200, 412)
    again = op("DELETE", "/api/rules/1", if_match=late.headers["etag"])
    assert batch(ask, again).status_code == 200


def test_what_is_not_allowed_takes_the_rest_along(ask: Ask) -> None:
    """A row of one's own, and then one more that belongs to somebody else."""
    refused = batch(
        ask,
        op("PATCH", "/api/heroes/1", {"name": "faster"}),
        op("DELETE", "/api/heroes/2"),
    )

    assert refused.status_code == 404
    assert (names(ask), names(ask, by=BEN)) == (["flash"], ["night"])


def test_rehearsal_answers_and_keeps_nothing(ask: Ask) -> None:
    rehearsed = batch(
        ask,
        op("POST", "/api/heroes", {"name": "kid"}),
        op("PATCH", "/api/heroes/{$ref:0.id}", {"name": "grown"}),
        headers={"prefer": "dry-run"},
    )

    assert [result["status"] for result in rehearsed.json()["body"]["results"]] == [201, 200]
    assert rehearsed.headers["preference-applied"] == "dry-run"
    assert names(ask) == ["flash"]


def test_client_may_do_without_the_rows(ask: Ask) -> None:
    answer = batch(
        ask,
        op("POST", "/api/heroes", {"name": "kid"}),
        op("PATCH", "/api/heroes/{$ref:0.id}", {"name": "grown"}),
        headers={"prefer": "return=minimal"},
    )

    results = answer.json()["results"]
    assert [(r["status"], r["body"]) for r in results] == [(201, None), (204, None)]
    assert ask(results[0]["headers"]["location"], by=ANN).json()["name"] == "grown"


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_references_make_no_body_deeper_than_one_may_be(ask: Ask) -> None:
    """The body is one level, and the notes of the first are 59."""

    def second(levels: int) -> Response:
        reference: Any = {"$ref": "first.notes"}
        for _ in range(levels):
            reference = [reference]
        return batch(
            ask,
            op("POST", "/api/heroes", {"name": f"a{levels}", "notes": nested(59)}, name="first"),
            op("POST", "/api/heroes", {"name": f"b{levels}", "notes": reference}),
        )

    fits, too_deep = second(4), second(5)

    assert fits.status_code == 200
    assert too_deep.status_code == 422
    assert faults(too_deep) == {"/operations/1/body/notes/0/0/0/0/0": "bad_reference"}


def test_references_stand_for_no_more_than_a_body_may_hold(ask: Ask) -> None:
    """Each operation would double what the one before has stored."""
    before = names(ask)
    operations = [
        op("PATCH", "/api/heroes/1", {"notes": [{"$ref": f"{i}.notes"}] * 2}) for i in range(20)
    ]

    refused = batch(
        ask, op("PATCH", "/api/heroes/1", {"notes": {"text": "x" * 100_000}}), *operations
    )

    assert (refused.status_code, refused.json()["code"]) == (413, "references_too_large")
    assert faults(refused) == {"/operations/3": "references_too_large"}
    assert names(ask) == before
    assert ask("/api/heroes/1", by=ANN).json()["notes"] is None


def test_object_that_looks_like_a_reference_can_be_stored(ask: Ask) -> None:
    body = {"name": "kid", "notes": {"$ref": "#/else", "more": [{"$$ref": 1}]}}

    answer = batch(ask, op("POST", "/api/heroes", body))

    [result] = answer.json()["results"]
    assert result["body"]["notes"] == {"$ref": "#/else", "more": [{"$ref": 1}]}


def test_paths_begin_where_clients_see_the_api(app: Tilth, serve: Callable[..., Ask]) -> None:
    app.root_path = "/shop"
    ask = serve(app)

    inside = batch(ask, op("POST", "/shop/api/heroes", {"name": "kid"}))
    outside = batch(ask, op("POST", "/api/heroes", {"name": "kid2"}))

    assert inside.json()["results"][0]["headers"]["location"].startswith("/shop/api/heroes/")
    assert faults(outside) == {"/operations/0/path": "bad_value"}


def test_batch_tells_its_methods(ask: Ask) -> None:
    options, got = ask("/api/batch", method="OPTIONS"), ask("/api/batch")

    assert options.headers["allow"] == got.headers["allow"] == "OPTIONS, POST"
    assert (options.headers["accept-post"], got.status_code) == ("application/json", 405)
    assert ask("/api/batch", method="POST", content=b"a", by=ANN).status_code == 415


def test_there_is_no_batch_where_nobody_writes(
    database_url: str, serve: Callable[..., Ask]
) -> None:
    app = Tilth(database_url)
    app.expose(Team, Policy(read=public))

    assert serve(app)("/api/batch", method="POST", json={}).status_code == 404


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Those that are executed by units of work, as they come."""
    seen: list[str] = []

    def see(connection: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", see)
    yield seen
    event.remove(Engine, "before_cursor_execute", see)


def test_statements_grow_by_those_of_each_operation(ask: Ask, statements: list[str]) -> None:
    def asked(operations: int) -> int:
        del statements[:]
        patches = [
            op("PATCH", "/api/heroes/{$ref:kid.id}", {"name": f"{operations}-{i}"})
            for i in range(operations)
        ]
        body = {"name": f"kid{operations}"}
        assert batch(ask, op("POST", "/api/heroes", body, name="kid"), *patches).status_code == 200
        return len(statements)

    few, more, most = asked(1), asked(11), asked(99)

    assert more - few == 10 * 3
    assert most - more == 88 * 3
