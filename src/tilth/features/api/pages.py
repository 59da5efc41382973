"""/docs: the OpenAPI document as a page that needs no network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from tilth.errors import NotFound

PATH = "/docs"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_STATIC = Path(__file__).parent / "static"
_FILES: Mapping[str, tuple[str, str]] = {
    "docs.js": ("docs.js", "text/javascript"),
    "docs.css": ("docs.css", "text/css"),
    "swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": ("swagger-ui/swagger-ui.css", "text/css"),
}
"""Name in the address → file, media type."""

YEAR_SECONDS = 31_536_000


@dataclass(frozen=True, slots=True)
class Asset:
    """One file the page loads. version: of its content, so that an address never goes stale."""

    path: Path
    media_type: str
    version: str


def docs_routes(title: str, document: str = "/openapi.json") -> Sequence[BaseRoute]:
    """document: path of the OpenAPI document, without root path."""
    assets = {name: _asset(path, media_type) for name, (path, media_type) in _FILES.items()}
    rendered = cache(_renderer)

    # Not a coroutine, so a thread runs it: the first call imports and reads files.
    def page(request: Request) -> Response:
        root: str = request.scope.get("root_path", "")
        address = _addresses(root, assets)
        body = rendered()(title=title, document=root + document, address=address)
        headers = {"content-security-policy": POLICY, "cache-control": "no-cache"}
        return HTMLResponse(body, headers=headers)

    async def asset(request: Request) -> Response:
        return _answer(request, assets)

    return [Route(PATH, page), Route(f"{PATH}/static/{{name}}", asset)]


def _renderer() -> Callable[..., str]:
    # Few processes ever show the page; all would wait for its template language when they start.
    from jinja2 import Environment, PackageLoader

    pages = Environment(loader=PackageLoader("tilth.features.api"), autoescape=True)
    return pages.get_template("docs.html").render


def _asset(path: str, media_type: str) -> Asset:
    file = _STATIC / path
    return Asset(file, media_type, sha256(file.read_bytes()).hexdigest()[:16])


def _addresses(root: str, assets: Mapping[str, Asset]) -> Callable[[str], str]:
    return lambda name: f"{root}{PATH}/static/{name}?v={assets[name].version}"


def _answer(request: Request, assets: Mapping[str, Asset]) -> Response:
    found = assets.get(request.path_params["name"])
    if found is None:
        raise NotFound(f"There is nothing at {request.url.path}.")
    is_named = request.query_params.get("v") == found.version
    etag = f'"{found.version}"'
    caching = f"public, max-age={YEAR_SECONDS}, immutable" if is_named else "no-cache"
    headers = {"etag": etag, "cache-control": caching}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return FileResponse(found.path, media_type=found.media_type, headers=headers)
