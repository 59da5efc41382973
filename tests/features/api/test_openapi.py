"""The document for a small schema with every shape of key, relation and rule."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from fastapi import FastAPI
from pydantic import BaseModel
from schemathesis.specs.openapi import definitions
from sqlalchemy import JSON, Column, Enum, ForeignKey, Numeric, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth.features.api.service.openapi.document import openapi_document
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import ANONYMOUS, Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rulebook import Rulebook, chapter_from
from tilth.kernel.policy.rules import me, public, signed_in
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.schema.mapper import schema_from
from tilth.kernel.schema.types import ExactDecimal

Document = dict[str, Any]

BEARER = {"bearer": {"type": "http", "scheme": "bearer"}}


class Base(DeclarativeBase):
    pass


hero_power = Table(
    "hero_power",
    Base.metadata,
    Column("hero_id", ForeignKey("hero.id"), primary_key=True),
    Column("power_id", ForeignKey("power.id"), primary_key=True),
)


class Team(Base):
    """People who work together."""

    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    heroes: Mapped[list["Hero"]] = relationship(back_populates="team")


class Hero(Base):
    __tablename__ = "hero"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(comment="As the public knows it.")
    age: Mapped[int | None]
    rank: Mapped[str] = mapped_column(Enum("low", "high", name="rank"))
    reward: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    fee: Mapped[Decimal] = mapped_column(ExactDecimal(5, 2))
    share: Mapped[Decimal] = mapped_column(ExactDecimal(2, 2))
    born: Mapped[date]
    notes: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    secret: Mapped[str]
    owner_id: Mapped[str]
    phone: Mapped[str]
    limit: Mapped[int]
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team | None] = relationship(back_populates="heroes")
    powers: Mapped[list["Power"]] = relationship(secondary=hero_power)


class Power(Base):
    __tablename__ = "power"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Mission(Base):
    __tablename__ = "mission"

    hero_id: Mapped[int] = mapped_column(ForeignKey("hero.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    hero: Mapped[Hero] = relationship()


POLICIES: Mapping[type, Policy] = {
    Team: Policy(read=public),
    Hero: Policy(read=public, hidden=("secret",), fields={"phone": Hero.owner_id == me.id}),
    Power: Policy(read=signed_in),
    Mission: Policy(read=public),
}

MakeDocument = Callable[..., Document]


@pytest.fixture(scope="module")
def document_for() -> MakeDocument:
    exposures = [Exposure(model, search=("name",) if model is Hero else ()) for model in POLICIES]
    schema, _ = schema_from(exposures, "sqlite")
    chapters = {name: chapter_from(r, POLICIES[r.model]) for name, r in schema.items()}
    rulebook = Rulebook(chapters)

    def make(actor: Actor = ANONYMOUS, **options: Any) -> Document:
        if "anonymous" in options:
            options["anonymous"] = Sight(schema, rulebook, options["anonymous"])
        sight = Sight(schema, rulebook, actor)
        return openapi_document(sight, title="Heroes", version="1.2", **options)

    return make


@pytest.fixture(scope="module")
def document(document_for: MakeDocument) -> Document:
    return document_for()


@pytest.fixture(scope="module")
def full(document_for: MakeDocument) -> Document:
    """For somebody who is signed in."""
    return document_for(Actor(id="1"))


def resolved(document: Document, part: Any) -> Any:
    """The part itself, or what its reference leads to."""
    if "$ref" not in part:
        return part
    found: Any = document
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def parameter(document: Document, path: str, name: str) -> Any:
    found = {
        each["name"]: each
        for each in (resolved(document, p) for p in document["paths"][path]["get"]["parameters"])
    }
    return found.get(name)


def names_in(document: Document, path: str, name: str) -> list[str]:
    return list(parameter(document, path, name)["schema"]["items"]["enum"])


def test_every_path_has_get_head_and_options(full: Document) -> None:
    assert list(full["paths"]) == [
        "/api",
        "/api/teams",
        "/api/teams/{key}",
        "/api/teams/{key}/heroes",
        "/api/heroes",
        "/api/heroes/{key}",
        "/api/heroes/{key}/powers",
        "/api/powers",
        "/api/powers/{key}",
        "/api/missions",
        "/api/missions/{key}",
    ]
    methods = {tuple(item) for path, item in full["paths"].items() if path != "/api"}
    assert methods == {("get", "head", "options")}


def test_a_resource_that_may_not_be_read_is_nowhere(document: Document) -> None:
    assert "power" not in str(document).lower()


def test_a_hidden_field_is_nowhere(full: Document) -> None:
    assert "secret" not in str(full)


def test_a_row_has_the_readable_fields_and_relations(full: Document) -> None:
    hero = full["components"]["schemas"]["Hero"]

    assert hero["additionalProperties"] is False
    assert "required" not in hero
    assert hero["properties"] == {
        "id": {"type": "integer", "format": "int64"},
        "name": {"type": "string", "description": "As the public knows it."},
        "age": {"type": ["integer", "null"], "format": "int64"},
        "rank": {"type": "string", "enum": ["low", "high"]},
        "reward": {"type": "string", "pattern": "^-?[0-9]+[.][0-9]{2}$"},
        "fee": {"type": "string", "pattern": "^-?[0-9]+[.][0-9]{2}$"},
        "share": {"type": "string", "pattern": "^-?[0-9]+[.][0-9]{2}$"},
        "born": {"type": "string", "format": "date"},
        "notes": {},
        "owner_id": {"type": "string"},
        "phone": {"type": ["string", "null"]},
        "limit": {"type": "integer", "format": "int64"},
        "team_id": {"type": ["integer", "null"], "format": "int64"},
        "team": {
            "anyOf": [{"$ref": "#/components/schemas/Team"}, {"type": "null"}],
            "description": "Present with expand=team.",
        },
        "powers": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Power"},
            "description": "Present with expand=powers.",
        },
    }


def test_a_page_has_items_and_the_addresses_of_its_neighbours(document: Document) -> None:
    page = document["components"]["schemas"]["HeroList"]

    assert page["required"] == ["items", "next", "prev"]
    assert list(page["properties"]) == ["items", "next", "prev", "total"]
    assert page["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Hero"}


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/heroes/{key}", ("integer", None)),
        ("/api/missions/{key}", ("array", {"type": "integer"})),
    ],
)
def test_keys_are_typed(document: Document, path: str, schema: tuple[str, Any]) -> None:
    key = parameter(document, path, "key")

    assert key["required"] is True
    assert key["schema"]["type"] == schema[0]
    if schema[1]:
        assert key["schema"]["items"]["type"] == schema[1]["type"]
        assert key["schema"]["minItems"] == key["schema"]["maxItems"] == 2


def test_fields_are_parameters_unless_the_name_is_taken(document: Document) -> None:
    assert parameter(document, "/api/heroes", "rank")["schema"]["enum"] == ["low", "high"]
    assert parameter(document, "/api/heroes", "notes") is None
    assert parameter(document, "/api/heroes", "limit")["schema"]["maximum"] == 200


@pytest.mark.parametrize(
    ("name", "value", "is_valid"),
    [
        ("age__gte", 18, True),
        ("age__gte", "x", False),
        ("age__in", "1,2,-3", True),
        ("age__in", "1,x", False),
        ("age__range", "1,2", True),
        ("age__range", "1", False),
        ("age__icontains", "1", False),
        ("limit__exact", 5, True),
        ("name__istartswith", "a", True),
        ("name__in", 'a,"b, c"', True),
        ("rank__in", "low,high", True),
        ("rank__in", "lower", False),
        ("rank__lt", "low", False),
        ("reward__gt", "1234567.123", True),
        ("fee__gt", "-123.45", True),
        ("fee__gt", ".5", True),
        ("fee__gt", "1234", False),
        ("fee__in", "1,2.345", False),
        ("share__range", "0,+0.25", True),
        ("share__exact", "1.25", False),
        ("born__in", "2024-02-29,0400-02-29,1999-12-31", True),
        ("born__in", "2023-02-29", False),
        ("born__in", "1900-02-29", False),
        ("notes__isnull", True, True),
        ("notes__exact", "{}", False),
        ("team__name", "Avengers", True),
        ("team__name__icontains", "a", True),
        ("team__id__lt", 3, True),
        ("team__isnull", False, True),
        ("phone__exact", "1", True),
        ("secret__exact", "1", False),
        ("age", 18, False),
    ],
)
def test_lookups_are_given_by_patterns(
    document: Document, name: str, value: object, *, is_valid: bool
) -> None:
    schema = parameter(document, "/api/heroes", "field__lookup")["schema"]

    assert jsonschema_rs.is_valid(schema, {name: value}) is is_valid


def test_names_that_can_be_listed_are_listed(full: Document) -> None:
    assert names_in(full, "/api/teams", "sort") == ["id", "-id", "name", "-name"]
    assert names_in(full, "/api/missions", "sort")[4:8] == [
        "hero.id", "-hero.id", "hero.name", "-hero.name",
    ]  # fmt: skip
    assert names_in(full, "/api/heroes", "expand") == ["team", "powers", "team.heroes"]
    assert names_in(full, "/api/teams", "expand") == ["heroes", "heroes.team", "heroes.powers"]
    assert "phone" in names_in(full, "/api/heroes", "fields")
    assert names_in(full, "/api/heroes/{key}", "fields") == names_in(full, "/api/heroes", "fields")


def test_only_what_can_be_searched_takes_q(document: Document) -> None:
    assert parameter(document, "/api/heroes", "q") is not None
    assert parameter(document, "/api/teams/{key}/heroes", "q") is not None
    assert parameter(document, "/api/teams", "q") is None


def test_a_row_takes_fields_and_expand_only(document: Document) -> None:
    found = document["paths"]["/api/heroes/{key}"]["get"]["parameters"]

    names = [resolved(document, each)["name"] for each in found]
    assert names == ["key", "fields", "expand", "If-None-Match"]


@pytest.mark.parametrize(
    ("path", "method", "statuses"),
    [
        ("/api/heroes", "get", "200 304 400 406 429 503"),
        ("/api/heroes/{key}", "get", "200 304 400 404 406 429 503"),
        ("/api/teams/{key}/heroes", "head", "200 304 400 404 406 429 503"),
        ("/api/heroes", "options", "204 400 404 429"),
    ],
)
def test_every_answer_there_can_be(
    document: Document, path: str, method: str, statuses: str
) -> None:
    assert " ".join(document["paths"][path][method]["responses"]) == statuses


def test_refusals_carry_a_problem_and_head_has_no_body(document: Document) -> None:
    responses = document["paths"]["/api/heroes"]

    refused = resolved(document, responses["get"]["responses"]["503"])
    bare = resolved(document, responses["head"]["responses"]["503"])
    assert list(refused["content"]) == ["application/problem+json"]
    assert set(refused["headers"]) == {"X-Request-ID", "Server-Timing", "Retry-After"}
    assert "content" not in bare


def test_media_types_of_collections_and_rows(document: Document) -> None:
    page = resolved(document, document["paths"]["/api/heroes"]["get"]["responses"]["200"])
    row = resolved(document, document["paths"]["/api/heroes/{key}"]["get"]["responses"]["200"])

    linked = ["application/hal+json", "application/prs.hal-forms+json"]
    streamed = ["text/csv", "application/x-ndjson"]
    assert list(page["content"]) == ["application/json", *streamed, *linked]
    assert list(row["content"]) == ["application/json", *linked]
    assert {"ETag", "Link", "Vary", "Cache-Control"} <= set(page["headers"])


def test_operations_lead_to_each_other(document: Document) -> None:
    page = resolved(document, document["paths"]["/api/teams"]["get"]["responses"]["200"])
    row = document["paths"]["/api/teams/{key}"]["get"]["responses"]["200"]

    to_row = {"operationId": "get_team", "parameters": {"key": "$response.body#/items/0/id"}}
    to_list = {"operationId": "list_teams_heroes", "parameters": {"key": "$request.path.key"}}
    assert page["links"] == {"get_team": to_row}
    assert row["links"] == {"list_teams_heroes": to_list}


def test_credentials_are_asked_for_where_nobody_may_read(document_for: MakeDocument) -> None:
    options = {"security_schemes": BEARER, "anonymous": ANONYMOUS}

    found = document_for(Actor(id="1"), **options)

    assert found["components"]["securitySchemes"] == BEARER
    assert found["paths"]["/api/powers"]["get"]["security"] == [{"bearer": []}]
    assert found["paths"]["/api/heroes"]["get"]["security"] == [{}, {"bearer": []}]
    assert "401" in found["paths"]["/api/heroes"]["get"]["responses"]


def written_by_the_developer() -> Document:
    app = FastAPI(title="Mine", version="9")

    class Hero(BaseModel):
        shout: str

    @app.get("/stats", operation_id="list_heroes", tags=["teams"])
    async def stats(limit: int) -> Hero:
        return Hero(shout="hey")

    @app.get("/api/teams")
    async def teams() -> Hero:
        return Hero(shout="mine")

    return app.openapi()


def test_the_developers_routes_stay_as_they_are(document_for: MakeDocument) -> None:
    written = written_by_the_developer()

    merged = document_for(written=written)

    assert merged["info"] == {"title": "Mine", "version": "9"}
    assert merged["paths"]["/api/teams"]["get"] == written["paths"]["/api/teams"]["get"]
    assert merged["components"]["schemas"]["Hero"] == written["components"]["schemas"]["Hero"]


def test_the_developers_routes_refuse_with_problems(document_for: MakeDocument) -> None:
    merged = document_for(written=written_by_the_developer())

    refusal = merged["paths"]["/stats"]["get"]["responses"]["422"]
    schema = {"$ref": "#/components/schemas/Problem"}
    assert refusal["content"] == {"application/problem+json": {"schema": schema}}
    assert "ValidationError" not in str(merged)


def test_a_refusal_that_the_developer_describes_stays(document_for: MakeDocument) -> None:
    written = written_by_the_developer()
    described = {"description": "No.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    written["paths"]["/stats"]["get"]["responses"]["422"] = described

    merged = document_for(written=written)

    assert merged["paths"]["/stats"]["get"]["responses"]["422"] == described


def test_generated_names_give_way_to_the_developers(document_for: MakeDocument) -> None:
    merged = document_for(written=written_by_the_developer())

    assert list(merged["components"]["schemas"]["Hero"]["properties"]) == ["shout"]
    assert "age" in merged["components"]["schemas"]["Hero2"]["properties"]
    assert merged["paths"]["/api/heroes"]["get"]["operationId"] == "list_heroes2"


def test_writing_a_document_leaves_what_was_given_alone(document_for: MakeDocument) -> None:
    written = written_by_the_developer()

    document_for(written=written)

    assert written == written_by_the_developer()


def test_operation_ids_are_unique(document_for: MakeDocument) -> None:
    merged = document_for(Actor(id="1"), written=written_by_the_developer())

    ids = [op["operationId"] for item in merged["paths"].values() for op in item.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("actor", [ANONYMOUS, Actor(id="1")])
def test_the_document_is_openapi_3_1(document_for: MakeDocument, actor: Actor) -> None:
    options = {"written": written_by_the_developer(), "security_schemes": BEARER}

    found = document_for(actor, **options)

    assert list(definitions.OPENAPI_31_VALIDATOR.iter_errors(found)) == []
    assert all(operation.ok() for operation in loaded(found).get_all_operations())


def test_every_reference_leads_somewhere(document_for: MakeDocument) -> None:
    found = document_for(Actor(id="1"), written=written_by_the_developer())

    references = list(_references(found))
    assert references
    for reference in references:
        assert resolved(found, {"$ref": reference})


def loaded(document: Document) -> Any:
    return schemathesis.openapi.from_dict(document)


def _references(part: Any) -> Any:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from _references(each)
    elif isinstance(part, list):
        for each in part:
            yield from _references(each)
