"""Whatever goes wrong, the answer is one RFC 9457 problem."""

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from tilth.errors import (
    BadRequest,
    Fault,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from tilth.runtime.web.middleware import web_stack, wrapped
from tilth.runtime.web.problem import exception_handlers, problem_response
from tilth.settings import Settings

REQUEST_ID = "request-1"


class Hero(BaseModel):
    name: str
    tags: list[int]


@pytest.fixture
def app():
    application = FastAPI(exception_handlers=exception_handlers([RequestValidationError]))

    @application.post("/heroes/{key}")
    async def create(key: int, hero: Hero, limit: int = 1) -> None: ...

    @application.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, {"pot": "tea"}, headers={"X-Pot": "tea"})

    @application.get("/nothing")
    async def nothing() -> None:
        raise HTTPException(304)

    @application.get("/missing")
    async def missing() -> None:
        raise NotFound("There is no hero 7.")

    @application.get("/boom")
    async def boom() -> None:
        raise LookupError("a secret")

    return wrapped(application, web_stack(Settings()))


@pytest.fixture
def problem(app, ask):
    def problem_of(method, path, **options):
        answer = ask(app, method, path, headers={"X-Request-ID": REQUEST_ID}, **options)
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json()

    return problem_of


def body_of(status, title, detail, code):
    return {
        "type": f"urn:tilth:error:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [],
        "request_id": REQUEST_ID,
    }


SIMPLE = {
    "an unknown path": (
        ("GET", "/nowhere"),
        body_of(404, "Not Found", "There is nothing at /nowhere.", "not_found"),
    ),
    "a known method in the wrong place": (
        ("DELETE", "/boom"),
        body_of(
            405,
            "Method Not Allowed",
            "DELETE is not allowed on /boom. The Allow header lists what is.",
            "method_not_allowed",
        ),
    ),
    "an unknown method": (
        ("PROPFIND", "/boom"),
        body_of(
            501, "Not Implemented", "The method PROPFIND is not known here.", "not_implemented"
        ),
    ),
    "an error of ours": (
        ("GET", "/missing"),
        body_of(404, "Not found", "There is no hero 7.", "not_found"),
    ),
    "a mistake of ours": (
        ("GET", "/boom"),
        body_of(
            500,
            "Internal server error",
            "The server failed to answer this request. Report it with its request_id.",
            "internal",
        ),
    ),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_the_problem_says_what_happened(problem, name):
    request, body = SIMPLE[name]

    assert problem(*request) == (body["status"], body)


def test_a_405_lists_what_is_allowed(app, ask):
    assert ask(app, "DELETE", "/boom").headers["allow"] == "GET"


def test_every_invalid_part_of_a_request_is_named(problem):
    status, body = problem("POST", "/heroes/x?limit=y", json={"tags": [1, "z"]})

    assert status == 422
    assert body["detail"] == "Not valid: {key}, ?limit, /name and /tags/1. See errors."
    assert [(fault["pointer"], fault["code"]) for fault in body["errors"]] == [
        ("{key}", "int_parsing"),
        ("?limit", "int_parsing"),
        ("/name", "missing"),
        ("/tags/1", "int_parsing"),
    ]


def test_a_detail_that_is_no_sentence_is_kept_as_data(app, ask):
    answer = ask(app, "GET", "/teapot")

    assert answer.json()["data"] == {"pot": "tea"}
    assert answer.headers["x-pot"] == "tea"


def test_a_status_without_a_body_gets_none(app, ask):
    answer = ask(app, "GET", "/nothing")

    assert (answer.status_code, answer.content) == (304, b"")


def test_a_500_has_the_headers_of_any_other_answer(app, ask):
    answer = ask(app, "GET", "/boom", headers={"X-Request-ID": REQUEST_ID})

    assert answer.headers["x-request-id"] == REQUEST_ID
    assert answer.headers["x-content-type-options"] == "nosniff"
    # The server ends it when an error comes through.
    assert answer.headers["connection"] == "close"


def test_a_handler_of_the_users_own_wins(ask):
    application = FastAPI(exception_handlers=exception_handlers())

    @application.exception_handler(LookupError)
    async def answer_lookup(request, error):
        return PlainTextResponse("mine", 410)

    @application.get("/")
    async def boom() -> None:
        raise LookupError

    assert ask(wrapped(application, web_stack(Settings())), "GET", "/").status_code == 410


def test_an_error_after_the_response_began_does_not_begin_another(app_with, ask):
    async def broken(request):
        async def pieces():
            yield b"half"
            raise LookupError

        return StreamingResponse(pieces())

    answer = ask(app_with(Route("/", broken)), "GET", "/")

    assert (answer.status_code, answer.content) == (200, b"half")


HEADERS = {
    "401": (Unauthenticated("No."), "www-authenticate", 'Bearer realm="tilth"'),
    "401 with its own": (
        Unauthenticated("No.", headers={"WWW-Authenticate": "Basic"}),
        "www-authenticate",
        "Basic",
    ),
    "429": (TooManyRequests("Slow down.", headers={"Retry-After": "60"}), "retry-after", "60"),
    "503": (Unavailable("Later."), "retry-after", "1"),
    "any": (Forbidden("No."), "cache-control", "no-store"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_problem_has_the_headers_its_status_asks_for(name):
    error, header, value = HEADERS[name]

    response = problem_response(error, None)

    assert response.headers.getlist(header) == [value]


def test_faults_keep_their_order():
    faults = (Fault("?b", "bad", "Second letter."), Fault("/a", "bad", "First letter."))

    response = problem_response(BadRequest("Two faults.", faults=faults), None)

    assert b'"errors":[{"pointer":"?b","code":"bad","detail":"Second letter."},' in response.body
