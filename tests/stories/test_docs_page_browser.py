"""The docs page in a real browser: it works, and asks no other server for anything."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Request, Route, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request as WebRequest
from starlette.responses import JSONResponse
from starlette.routing import Route as WebRoute

from tilth.features.api.pages import docs_routes

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs the browser at {CHROMIUM}")

# A browser of its own accord asks its maker for updates and lists; none of that is the page's.
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
)

HAS_BACKGROUND = """scheme => {
    const channels = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
    return channels.every(channel => scheme === "dark" ? channel < 128 : channel >= 128);
}"""

_ANSWER = {"200": {"description": "Heroes.", "content": {"application/json": {"schema": {}}}}}
_AGE = {"name": "age", "in": "query", "schema": {"type": "integer"}}
TOKEN = "right"
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    "info": {"title": "Heroes", "version": "1"},
    "paths": {
        "/api/heroes": {
            "get": {
                "operationId": "list_heroes",
                "parameters": [_AGE],
                "responses": _ANSWER,
                "security": [{}, {"bearer": []}],
            },
            "head": {"operationId": "head_heroes", "responses": _ANSWER},
            "options": {"operationId": "options_heroes", "responses": _ANSWER},
        },
        "/api/teams": {"get": {"operationId": "list_teams", "responses": _ANSWER}},
    },
}
_SECRETS = {"operationId": "list_secrets", "responses": _ANSWER, "security": [{"bearer": []}]}
PATHS_OF_ALL = DOCUMENT["paths"] | {"/api/secrets": {"get": _SECRETS}}


@dataclass
class Visit:
    """A page and what happened on it."""

    page: Page
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


async def _document(request: WebRequest) -> JSONResponse:
    """There is more of it for whoever holds the token."""
    sent = request.headers.get("authorization")
    if sent not in (None, f"Bearer {TOKEN}"):
        return JSONResponse({"detail": "No."}, 401)
    return JSONResponse(DOCUMENT | {"paths": PATHS_OF_ALL} if sent else DOCUMENT)


async def _heroes(request: WebRequest) -> JSONResponse:
    return JSONResponse({"items": [{"name": "Ada"}], "asked": dict(request.query_params)})


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    routes = [
        *docs_routes("Heroes"),
        WebRoute("/openapi.json", _document),
        WebRoute("/api/heroes", _heroes),
    ]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, origin: str) -> Iterator[Visit]:
    """The docs page, opened, with every other origin out of reach."""
    context = browser.new_context()
    visit = Visit(context.new_page())

    def let_through(route: Route, request: Request) -> None:
        if f"{urlsplit(request.url).scheme}://{urlsplit(request.url).netloc}" == origin:
            route.continue_()
        else:
            visit.elsewhere.append(request.url)
            route.abort()

    context.route("**/*", let_through)
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    visit.page.on("console", lambda message: visit.complaints.append(message.text))
    visit.page.goto(f"{origin}/docs")
    visit.page.wait_for_selector(".opblock")
    yield visit
    context.close()


def test_operations_are_listed_without_help_from_elsewhere(visit: Visit) -> None:
    listed = visit.page.locator(".opblock-summary-path").all_inner_texts()

    assert [path.replace("\u200b", "") for path in listed] == ["/api/heroes", "/api/teams"]
    assert visit.page.title() == "Heroes · API"
    assert (visit.elsewhere, visit.complaints) == ([], [])


def test_an_operation_can_be_tried(visit: Visit) -> None:
    page = visit.page

    page.locator("#operations-default-list_heroes .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_placeholder("age").fill("18")
    page.get_by_role("button", name="Execute", exact=True).click()
    answer = page.locator(".live-responses-table .response-col_description pre").first

    assert json.loads(answer.inner_text()) == {"items": [{"name": "Ada"}], "asked": {"age": "18"}}
    assert (visit.elsewhere, visit.complaints) == ([], [])


def sign_in(page: Page, token: str) -> None:
    page.locator(".auth-wrapper .btn.authorize").click()
    page.locator(".modal-ux input").fill(token)
    page.locator(".modal-ux .btn.authorize").click()
    page.locator(".modal-ux .btn-done").click()


def test_more_is_listed_after_signing_in(visit: Visit) -> None:
    page = visit.page
    expect(page.locator("#note")).to_contain_text("This is what anyone may call.")

    sign_in(page, TOKEN)

    expect(page.locator("#operations-default-list_secrets")).to_be_visible()
    expect(page.locator("#note")).to_have_text("This is what you may call.")
    assert (visit.elsewhere, visit.complaints) == ([], [])


def test_signing_out_leaves_what_anyone_may_call(visit: Visit) -> None:
    page = visit.page
    sign_in(page, TOKEN)
    expect(page.locator("#operations-default-list_secrets")).to_be_visible()

    page.locator(".auth-wrapper .btn.authorize").click()
    page.locator(".modal-ux button", has_text="Logout").click()

    expect(page.locator("#operations-default-list_secrets")).to_have_count(0)
    expect(page.locator("#operations-default-list_heroes")).to_be_visible()


def test_wrong_credentials_are_told_and_leave_the_page(visit: Visit) -> None:
    sign_in(visit.page, "wrong")

    expect(visit.page.locator("#note")).to_contain_text("does not accept these credentials")
    expect(visit.page.locator("#operations-default-list_heroes")).to_be_visible()


def test_padlock_is_open_where_credentials_are_optional(visit: Visit) -> None:
    padlock = visit.page.locator("#operations-default-list_heroes .authorization__btn")
    expect(padlock).to_have_attribute("aria-label", "authorization button unlocked")

    sign_in(visit.page, TOKEN)

    expect(padlock).to_have_attribute("aria-label", "authorization button locked")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_system_between_light_and_dark(
    visit: Visit, scheme: Literal["light", "dark"]
) -> None:
    other: Literal["light", "dark"] = "light" if scheme == "dark" else "dark"

    visit.page.emulate_media(color_scheme=other)
    visit.page.wait_for_function(HAS_BACKGROUND, arg=other)
    visit.page.emulate_media(color_scheme=scheme)

    # The browser tells the page at its next frame: waiting for that is the test.
    visit.page.wait_for_function(HAS_BACKGROUND, arg=scheme)
