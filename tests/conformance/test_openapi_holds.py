"""What the OpenAPI document says is so: schemathesis asks, in process, with data it makes itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import schemathesis
from examples.heroes.app import heroes
from examples.heroes.data import seed
from examples.heroes.models import Base
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from starlette.testclient import TestClient

from tilth import Tilth
from tilth.adoption import adopt
from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine

Answered = Counter[tuple[str, int]]
"""Method and status → how many requests were answered so."""

LEAGUE = {"Authorization": "Bearer league"}
ADMIN = {"Authorization": "Bearer admin"}
# A change of every row that matches needs a filter, and what a batch holds is about other operations.
MANY = "_matching_|^batch$"
READING, CHANGING = ("GET", "OPTIONS"), ("POST", "PUT", "PATCH", "DELETE")

CONFIG = {
    "seed": 7,
    "generation": {"max-examples": 6, "deterministic": True, "database": "none"},
    "suppress-health-check": ["all"],
    "phases": {
        "examples": {"enabled": True},
        "coverage": {"enabled": False},
        "fuzzing": {"enabled": True},
        "stateful": {"enabled": False},
    },
}


# The grammar of `filter`, and which cursors a server has handed out, are nothing JSON Schema can
# tell: with them, no request may lead to a 500 or to an answer that is not described; without them,
# what fits the document is accepted and what does not is refused.
ANY_ANSWER = {
    "positive_data_acceptance": {"enabled": False},
    "negative_data_rejection": {"enabled": False},
}
BEYOND_SCHEMA = ("filter", "cursor", "on", "Idempotency-Key")


def failures_of(
    app: Tilth, headers: Mapping[str, str], *, strict: bool = False
) -> tuple[list[str], Answered]:
    """Every failed check as one line, and what was answered.

    strict: leave out the parameters beyond JSON Schema and check what is accepted.
    """
    document = document_of(app, headers)
    if strict:
        _without_parameters(document, BEYOND_SCHEMA)
    config = {**CONFIG, "checks": {} if strict else ANY_ANSWER, "headers": dict(headers)}
    return _failures(app, document, config, READING)


def document_of(app: Tilth, headers: Mapping[str, str]) -> dict[str, Any]:
    """Of the generated routes: FastAPI describes the errors of the others in its own words."""
    with TestClient(app) as client:
        document: dict[str, Any] = client.get("/openapi.json", headers=headers).json()
    paths = document["paths"]
    document["paths"] = {path: paths[path] for path in paths if path.startswith("/api")}
    return document


def _failures(
    app: Tilth, document: dict[str, Any], config: Mapping[str, Any], methods: Sequence[str]
) -> tuple[list[str], Answered]:
    """methods: those that are tried, of one row."""
    whole = schemathesis.openapi.from_dict(document, config=SchemathesisConfig.from_dict(config))
    one = whole.include(method=list(methods)).exclude(operation_id_regex=MANY)
    return _failed(app, one)


def _failed(app: Tilth, schema: Any) -> tuple[list[str], Answered]:
    schema.app = app
    failed: list[str] = []
    answered = Answered()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            answered.update(map(_kind_of, event.recorder.interactions.values()))
            failed.extend(_failed_checks(event))
        elif isinstance(event, events.NonFatalError):
            failed.append(f"{event.label} {event.value!r}")
        elif isinstance(event, events.FatalError):
            failed.append(repr(event.exception))
    return failed, answered


def _kind_of(interaction: Any) -> tuple[str, int]:
    answer = interaction.response
    return interaction.request.method, answer.status_code if answer else 0


def _without_parameters(document: dict[str, Any], names: Sequence[str]) -> None:
    gone = {*names, *(f"#/components/parameters/{name}" for name in names)}
    for operation in (o for item in document["paths"].values() for o in item.values()):
        kept = [
            p for p in operation.get("parameters", ()) if p.get("$ref", p.get("name")) not in gone
        ]
        operation["parameters"] = kept


def _failed_checks(event: Any) -> list[str]:
    return [
        f"{check.name} {_told(event.recorder.interactions[case])}"
        for case, checks in event.recorder.checks.items()
        for check in checks
        if check.status == Status.FAILURE
    ]


def _told(interaction: Any) -> str:
    request, answer = interaction.request, interaction.response
    told = f"{request.method} {request.uri} {request.body!r}"
    return f"{told} → {answer.status_code} {answer.content[:300]!r}" if answer else told


@pytest.fixture
def filled_url(database_url: str) -> str:
    """A database with the tables and rows of the example."""
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata, OWN])
    seed(engine)
    engine.dispose()
    return database_url


@pytest.mark.parametrize("strict", [False, True], ids=["any", "strict"])
@pytest.mark.parametrize("headers", [{}, LEAGUE], ids=["anyone", "league"])
def test_heroes_answers_as_described(
    filled_url: str, headers: Mapping[str, str], *, strict: bool
) -> None:
    failed, answered = failures_of(heroes(filled_url), headers, strict=strict)

    assert failed == []
    assert answered.total() > 100


@pytest.mark.parametrize("strict", [False, True], ids=["any", "strict"])
def test_an_adopted_database_answers_as_described(filled_url: str, *, strict: bool) -> None:
    failed, answered = failures_of(adopt(filled_url), {}, strict=strict)

    assert failed == []
    assert answered.total() > 100


# What a row or another may refuse although the body is right: a key that is taken, a reference to
# nothing, a version that is not current, a row of somebody else.
CHECKS_OF_CHANGES = {
    "positive_data_acceptance": {
        "expected-statuses": ["2xx", "304", "401", "403", "404", "409", "412"]
    },
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "404", "406", "412", "415", "422"]
    },
}


def failures_of_changes(
    app: Tilth,
    document: dict[str, Any],
    phase: str,
    examples: int,
    methods: Sequence[str] = CHANGING,
    by: Mapping[str, str] = ADMIN,
) -> tuple[list[str], Answered]:
    _without_parameters(document, BEYOND_SCHEMA)
    _with_json_bodies(document)
    config = {
        **CONFIG,
        "generation": {**CONFIG["generation"], "max-examples": examples},
        "phases": {name: {"enabled": name == phase} for name in CONFIG["phases"]},
        "checks": CHECKS_OF_CHANGES,
        "headers": dict(by),
    }
    return _failures(app, document, config, methods)


def _with_json_bodies(document: dict[str, Any]) -> None:
    """JSON Schema says nothing of the lines in a text."""
    for operation in (o for item in document["paths"].values() for o in item.values()):
        content = operation.get("requestBody", {}).get("content", {})
        for media_type in ("text/csv", "application/x-ndjson"):
            content.pop(media_type, None)


def test_changes_are_made_and_refused_as_described(filled_url: str) -> None:
    app = heroes(filled_url)

    failed, answered = failures_of_changes(app, document_of(app, ADMIN), "fuzzing", 3)

    assert failed == []
    assert answered.total() > 100


def test_every_corner_of_a_body_is_taken_or_refused_as_described(filled_url: str) -> None:
    """Of the resource with every shape of relation; its neighbours are alike."""
    app = heroes(filled_url)
    document = document_of(app, ADMIN)
    # It takes a header "0" for one that fits any pattern; the other phases send what fits.
    _without_parameters(document, ("If-Match",))
    kept = ("/api/heroes", "/api/heroes/{key}", "/api/missions/{key}/heroes")
    document["paths"] = {path: document["paths"][path] for path in kept}

    failed, answered = failures_of_changes(app, document, "coverage", 1)

    assert failed == []
    assert answered.total() > 100


STATEFUL_EXAMPLES = 25


@pytest.mark.parametrize("by", [ADMIN, LEAGUE, {}], ids=["admin", "league", "anyone"])
def test_rows_that_are_created_are_read_changed_and_deleted_by_links(
    filled_url: str, by: Mapping[str, str]
) -> None:
    app = heroes(filled_url)
    document, methods = document_of(app, by), ("GET", *CHANGING)

    failed, answered = failures_of_changes(
        app, document, "stateful", STATEFUL_EXAMPLES, methods, by
    )

    assert failed == []
    assert answered.total() > 10


LIFE = {("POST", 201), ("GET", 200), ("PATCH", 200), ("PUT", 200), ("DELETE", 204)}


def test_one_resource_is_lived_through_by_links(filled_url: str) -> None:
    """Alone, so that there are enough steps for each: what the other runs seldom reach."""
    app = heroes(filled_url)
    document = document_of(app, ADMIN)
    _leave_only(document, ("/api/powers", "/api/powers/{key}"))

    failed, answered = failures_of_changes(app, document, "stateful", 80, ("GET", *CHANGING), ADMIN)

    assert failed == []
    assert answered.keys() >= LIFE


def _leave_only(document: dict[str, Any], paths: Sequence[str]) -> None:
    document["paths"] = {path: document["paths"][path] for path in paths}
    operations = [o for item in document["paths"].values() for o in item.values()]
    names = {each.get("operationId") for each in operations}
    for answer in (
        a for each in (*operations, document["components"]) for a in each["responses"].values()
    ):
        links = answer.get("links", {})
        answer["links"] = {n: link for n, link in links.items() if link["operationId"] in names}


def test_changes_of_many_are_answered_as_described(filled_url: str) -> None:
    app = heroes(filled_url)
    config = {**CONFIG, "checks": ANY_ANSWER, "headers": ADMIN}
    whole = schemathesis.openapi.from_dict(
        document_of(app, ADMIN), config=SchemathesisConfig.from_dict(config)
    )

    failed, answered = _failed(app, whole.include(operation_id_regex=MANY))

    assert failed == []
    assert answered.total() > 50
