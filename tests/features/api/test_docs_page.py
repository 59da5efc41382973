import asyncio
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette

from tilth.features.api import pages
from tilth.runtime.web.problem import exception_handlers

VENDORED = Path(pages.__file__).parent / "static" / "swagger-ui"


Get = Callable[..., Response]


@pytest.fixture
def get() -> Get:
    """GET an address of an application behind the root path /v1."""
    app = Starlette(
        routes=pages.docs_routes("Heroes & <Co>"), exception_handlers=exception_handlers()
    )
    transport = ASGITransport(app, root_path="/v1")

    async def fetch(address: str, headers: dict[str, str]) -> Response:
        async with AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(address, headers=headers)

    return lambda address, **headers: asyncio.run(
        fetch(address, {name.replace("_", "-"): value for name, value in headers.items()})
    )


def addresses(html: str) -> list[str]:
    return re.findall(r'(?:href|src)="(/[^"]+)"', html)


def test_vendored_files_are_those_that_were_published() -> None:
    rows = re.findall(
        r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (VENDORED / "VENDOR.md").read_text(), re.MULTILINE
    )

    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in VENDORED.iterdir()}
    found.pop("VENDOR.md")
    assert found == dict(rows)
    assert "LICENSE" in found


def test_the_page_may_load_only_its_own_scripts_and_styles(get: Get) -> None:
    policy = get("/v1/docs").headers["content-security-policy"]

    directives = {part.split()[0]: part.split()[1:] for part in policy.split(";")}
    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == directives["style-src"] == ["'self'"]
    assert directives["connect-src"] == ["'self'"]
    assert "unsafe" not in policy


def test_the_page_is_found_behind_a_root_path(get: Get) -> None:
    html = get("/v1/docs").text

    assert 'data-document="/v1/openapi.json"' in html
    assert "Heroes &amp; &lt;Co&gt;" in html
    assert {get(each).status_code for each in addresses(html) if "static" in each} == {200}


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("docs.js", "text/javascript; charset=utf-8"),
        ("docs.css", "text/css; charset=utf-8"),
        ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
        ("swagger-ui.css", "text/css; charset=utf-8"),
    ],
)
def test_files_are_kept_by_browsers_until_their_content_changes(
    get: Get, name: str, media_type: str
) -> None:
    [address] = [a for a in addresses(get("/v1/docs").text) if f"/{name}?" in a]

    found = get(address)
    assert found.headers["content-type"] == media_type
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    again = get(address, if_none_match=found.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


def test_an_address_without_its_version_is_asked_for_again(get: Get) -> None:
    assert get("/v1/docs/static/docs.js").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["VENDOR.md", "LICENSE", "%2e%2e%2fpages.py", "swagger-ui"])
def test_nothing_else_is_served(get: Get, name: str) -> None:
    assert get(f"/v1/docs/static/{name}").status_code == 404
