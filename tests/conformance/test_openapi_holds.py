"""What the OpenAPI document says is so: schemathesis asks, in process, with data it makes itself."""

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
from tilth.kernel.store.sync import create_missing_tables, sync_engine

LEAGUE = {"Authorization": "Bearer league"}

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
BEYOND_SCHEMA = ("filter", "cursor")


def failures_of(
    app: Tilth, headers: Mapping[str, str], *, strict: bool = False
) -> tuple[list[str], int]:
    """Every failed check as one line, and how many requests were made.

    strict: leave out the parameters beyond JSON Schema and check what is accepted.
    """
    with TestClient(app) as client:
        document = client.get("/openapi.json", headers=headers).json()
    # FastAPI describes the errors of the application's own routes in its own words.
    generated = {path: item for path, item in document["paths"].items() if path.startswith("/api")}
    document["paths"] = {
        p: {m: o for m, o in i.items() if m != "head"} for p, i in generated.items()
    }
    if strict:
        _without_parameters(document, BEYOND_SCHEMA)
    checks = {} if strict else ANY_ANSWER
    config = SchemathesisConfig.from_dict({**CONFIG, "checks": checks, "headers": dict(headers)})
    schema = schemathesis.openapi.from_dict(document, config=config)
    schema.app = app
    failed: list[str] = []
    requests = 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            requests += len(event.recorder.interactions)
            failed.extend(_failed_checks(event))
        elif isinstance(event, events.NonFatalError | events.FatalError):
            failed.append(str(event))
    return failed, requests


def _without_parameters(document: dict[str, Any], names: Sequence[str]) -> None:
    gone = {f"#/components/parameters/{name}" for name in names}
    for operation in (o for item in document["paths"].values() for o in item.values()):
        kept = [p for p in operation.get("parameters", ()) if p.get("$ref") not in gone]
        operation["parameters"] = kept


def _failed_checks(event: Any) -> list[str]:
    return [
        f"{check.name} {event.label}: {event.recorder.interactions[case].request.uri}"
        for case, checks in event.recorder.checks.items()
        for check in checks
        if check.status == Status.FAILURE
    ]


@pytest.fixture
def filled_url(database_url: str) -> str:
    """A database with the tables and rows of the example."""
    engine = sync_engine(database_url)
    create_missing_tables(engine, [Base.metadata])
    seed(engine)
    engine.dispose()
    return database_url


@pytest.mark.parametrize("strict", [False, True], ids=["any", "strict"])
@pytest.mark.parametrize("headers", [{}, LEAGUE], ids=["anyone", "league"])
def test_heroes_answers_as_described(
    filled_url: str, headers: Mapping[str, str], *, strict: bool
) -> None:
    failed, requests = failures_of(heroes(filled_url), headers, strict=strict)

    assert failed == []
    assert requests > 100


@pytest.mark.parametrize("strict", [False, True], ids=["any", "strict"])
def test_an_adopted_database_answers_as_described(filled_url: str, *, strict: bool) -> None:
    failed, requests = failures_of(adopt(filled_url), {}, strict=strict)

    assert failed == []
    assert requests > 100
