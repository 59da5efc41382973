"""Which address answers what: collections, rows, sub-collections, methods, media types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tilth import Policy, Tilth, public

Ask = Callable[..., Response]


class Base(DeclarativeBase):
    pass


class Country(Base):
    __tablename__ = "country"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    places: Mapped[list[Place]] = relationship(back_populates="country", order_by="Place.name")


class Place(Base):
    __tablename__ = "place"
    country_code: Mapped[str] = mapped_column(ForeignKey("country.code"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    people: Mapped[int]
    country: Mapped[Country] = relationship(back_populates="places")


KEYS = ["a/b", "a,b", "50%", "%2F", "~", "~.", ".", "..", "", "é", "e\u0301", "😀", " ", "+", "?", "#",
        "a&b=c", '"', "\\", "\n", "key"]  # fmt: skip
BIG = 9_007_199_254_740_993


class Ledger(Base):
    __tablename__ = "ledger"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


@pytest.fixture(scope="module")
def ask(module_url: str, fill: Any, serve_for_module: Any) -> Ask:
    countries = [Country(code=key, name=f"name of {key}") for key in KEYS]
    places = [Place(country_code=key, name=name, people=1) for key in KEYS for name in KEYS]
    fill(module_url, Base.metadata, [*countries, *places, Ledger(id=7, title="a")])
    app = Tilth(module_url)
    for model in (Country, Place, Ledger):
        app.expose(model, Policy(read=public))
    served: Ask = serve_for_module(app)
    return served


def part(key: str) -> str:
    """As a link of the API writes it: see features/api/service/links.py."""
    return "~" + quote(key, safe="") if key in ("", ".", "..", "~", "~.") else quote(key, safe="")


@pytest.mark.parametrize("key", KEYS)
def test_row_is_found_by_any_text_as_key(ask: Ask, key: str) -> None:
    row = ask(f"/api/countries/{part(key)}")

    assert (row.status_code, row.json()) == (200, {"code": key, "name": f"name of {key}"})


@pytest.mark.parametrize("key", KEYS)
def test_sub_collection_is_found_by_any_text_as_key(ask: Ask, key: str) -> None:
    places = ask(f"/api/countries/{part(key)}/places?fields=country_code,name")

    wanted = [{"country_code": key, "name": name} for name in sorted(KEYS)]
    assert places.json()["items"] == wanted


def test_row_is_found_by_a_key_of_several_parts(ask: Ask) -> None:
    found = [
        ask(f"/api/places/{part(country)},{part(name)}").json()
        for country in KEYS
        for name in KEYS[:5]
    ]

    assert found == [
        {"country_code": country, "name": name, "people": 1}
        for country in KEYS
        for name in KEYS[:5]
    ]


NOWHERE = {
    "unknown resource": "/api/nothing",
    "unknown row": "/api/ledgers/8",
    "key that is no number": "/api/ledgers/seven",
    "key with a sign": "/api/ledgers/+7",
    "key with a zero in front": "/api/ledgers/07",
    "key beyond 64 bits": "/api/ledgers/99999999999999999999",
    "key beyond the column": f"/api/ledgers/{BIG}",
    "empty key": "/api/ledgers/~",
    "too many parts": "/api/ledgers/7,7",
    "too few parts": "/api/places/key",
    "key with NUL": "/api/countries/a%00b",
    "key that is not UTF-8": "/api/countries/%FF",
    "relation of a row that is not there": "/api/countries/nowhere/places",
    "to-one relation": "/api/places/key,key/country",
    "unknown relation": "/api/countries/key/nothing",
    "field": "/api/countries/key/name",
    "deeper": "/api/countries/key/places/key",
    "empty segment": "/api//ledgers",
    "empty key segment": "/api/countries//places",
}


@pytest.mark.parametrize("case", NOWHERE)
def test_404_for(ask: Ask, case: str) -> None:
    answer = ask(NOWHERE[case])

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/api/ledgers/%", "/api/countries/50%zz", "/api/ledgers?id=%2"])
def test_percent_sign_that_encodes_nothing_is_400(ask: Ask, path: str) -> None:
    answer = ask(path)

    assert (answer.status_code, answer.json()["code"][:4]) == (400, "bad_")
    assert "%25" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/api", "/openapi.json"])
def test_what_is_only_json_is_406_for_who_takes_none(ask: Ask, path: str) -> None:
    assert ask(path, headers={"accept": "text/html"}).status_code == 406
    assert ask(path, headers={"accept": "text/html, */*;q=0.1"}).status_code == 200


def test_index_lists_the_resources(ask: Ask) -> None:
    listed = {r["name"]: r["href"] for r in ask("/api").json()["resources"]}

    assert listed == {n: f"/api/{n}" for n in ("countries", "places", "ledgers")}


@pytest.mark.parametrize(
    "path", ["/api", "/api/ledgers", "/api/ledgers/7", "/api/countries/key/places"]
)
def test_head_answers_the_headers_of_get(ask: Ask, path: str) -> None:
    got, head = ask(path), ask(path, method="HEAD")

    def compared(answer: Response) -> dict[str, str]:
        volatile = ("x-request-id", "server-timing")
        return {n: v for n, v in answer.headers.items() if n not in volatile}

    assert (head.status_code, head.content) == (200, b"")
    assert compared(head) == compared(got)


@pytest.mark.parametrize("media_type", ["text/csv", "application/x-ndjson"])
def test_head_of_a_stream_claims_no_length(ask: Ask, media_type: str) -> None:
    head = ask("/api/ledgers", method="HEAD", headers={"accept": media_type})

    assert head.status_code == 200
    assert head.headers["content-type"].startswith(media_type)
    assert "content-length" not in head.headers


def test_head_of_nothing_is_404(ask: Ask) -> None:
    head = ask("/api/ledgers/8", method="HEAD")

    assert (head.status_code, head.content) == (404, b"")


@pytest.mark.parametrize(
    "path", ["/api", "/api/ledgers", "/api/ledgers/7", "/api/countries/key/places"]
)
def test_options_answers_what_is_allowed(ask: Ask, path: str) -> None:
    options = ask(path, method="OPTIONS")

    allowed = (options.status_code, options.headers["allow"], options.content)
    assert allowed == (204, "GET, HEAD, OPTIONS", b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/ledgers", "/api/ledgers/7", "/api/countries/key/places"])
def test_known_method_that_is_not_here_is_405_with_allow(ask: Ask, path: str, method: str) -> None:
    answer = ask(path, method=method)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/nothing", "/api/nothing/7"])
def test_what_is_not_here_is_404_whatever_the_method(ask: Ask, path: str, method: str) -> None:
    assert ask(path, method=method).status_code == 404


def test_unknown_method_is_501(ask: Ask) -> None:
    assert ask("/api/ledgers", method="BREW").status_code == 501


CANONICAL = {
    "/api/": "/api",
    "/api/ledgers/": "/api/ledgers",
    "/api/ledgers//": "/api/ledgers",
    "/api/ledgers/?sort=-id&q=%2F": "/api/ledgers?sort=-id&q=%2F",
    "/api/ledgers/7/": "/api/ledgers/7",
    "/api/countries/a%2Fb/": "/api/countries/a%2Fb",
    "/api/countries/50%25/": "/api/countries/50%25",
    "/api/countries/%252F/places/": "/api/countries/%252F/places",
    "/api/countries/%C3%A9/": "/api/countries/%C3%A9",
    "/api/places/a%2Cb,key/": "/api/places/a%2Cb,key",
}


@pytest.mark.parametrize("path", CANONICAL)
def test_slash_at_the_end_leads_to_the_canonical_address(ask: Ask, path: str) -> None:
    answer = ask(path)

    assert (answer.status_code, answer.headers["location"]) == (308, CANONICAL[path])


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*;q=0.5", "application/json;q=0", "text/csv"]
)
def test_row_in_a_media_type_it_has_not_is_406(ask: Ask, accept: str) -> None:
    answer = ask("/api/ledgers/7", headers={"accept": accept})

    assert answer.status_code == 406
    assert "application/json" in answer.json()["detail"]


def test_collection_in_a_media_type_it_has_not_is_406(ask: Ask) -> None:
    answer = ask("/api/ledgers", headers={"accept": "text/html"})

    assert answer.status_code == 406
    assert "application/json, text/csv, application/x-ndjson" in answer.json()["detail"]


def test_browser_is_answered_json(ask: Ask) -> None:
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"

    assert ask("/api/ledgers", headers={"accept": accept}).json()["items"] == [
        {"id": 7, "title": "a"}
    ]


ROW_PARAMETERS = {
    "?sort=id": "?sort",
    "?title=a": "?title",
    "?limit=1": "?limit",
    "?expnad=x": "?expnad",
    "?fields=id&fields=title": "?fields",
}


@pytest.mark.parametrize("query", ROW_PARAMETERS)
def test_row_takes_only_fields_and_expand(ask: Ask, query: str) -> None:
    answer = ask(f"/api/ledgers/7{query}")

    pointers = [fault["pointer"] for fault in answer.json()["errors"]]
    assert (answer.status_code, pointers) == (400, [ROW_PARAMETERS[query]])


def test_mistyped_parameter_of_a_row_gets_a_suggestion(ask: Ask) -> None:
    assert "'expand'" in ask("/api/ledgers/7?expnad=x").json()["detail"]


@pytest.mark.parametrize("query", ["?title=%FF", "?title=%ED%A0%80", "?" + "a=b&" * 101])
def test_query_that_cannot_be_read_is_400(ask: Ask, query: str) -> None:
    answer = ask(f"/api/ledgers{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
