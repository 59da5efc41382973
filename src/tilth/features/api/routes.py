"""/api/…: which answer an address and a method ask for."""

from __future__ import annotations

from urllib.parse import quote

import orjson
from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from tilth.errors import NotFound
from tilth.feature import Backend
from tilth.features.api.service.answers import VARY, row_answer, rows_answer
from tilth.features.api.service.ask import Ask
from tilth.features.api.service.conditional import CACHING, conditional
from tilth.features.api.service.etags import body_tag, strong
from tilth.features.api.service.intents import intent_from
from tilth.features.api.service.links import collection_path, parse_key, sent_path
from tilth.kernel.plan.intent import Intent
from tilth.kernel.plan.sight import Sight, entered
from tilth.runtime.web.actor import actor_of

PREFIX = "/api"
ALLOWED = "GET, HEAD, OPTIONS"


class ApiRoute(BaseRoute):
    """Everything below /api that no route of the developer's answers.

    One look-up by name instead of a route per resource: cost does not grow with their number.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = _path_below_root(scope)
        ours = scope["type"] == "http" and (path == PREFIX or path.startswith(f"{PREFIX}/"))
        return (Match.FULL if ours else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, dict(path_params))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await answer(Request(scope, receive), self.backend)
        if scope["method"] == "HEAD":
            response = _without_body(response)
        await response(scope, receive, send)


def _without_body(response: Response) -> Response:
    """With the headers as they are: a stream tells no length, and nor does this."""
    bare = Response(status_code=response.status_code)
    bare.raw_headers = response.raw_headers
    return bare


async def answer(request: Request, backend: Backend) -> Response:
    """Raises ProblemError for whatever cannot be answered."""
    segments = _segments(request.scope)
    if segments and segments[-1] == "":
        return _redirected(request)
    sight = Sight(backend.schema, backend.rulebook, await actor_of(request, backend.readers))
    intent = _intent(request, sight, segments) if segments else None
    if request.method not in ("GET", "HEAD", "OPTIONS"):
        raise HTTPException(405, headers={"allow": ALLOWED})
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"allow": ALLOWED})
    base = request.scope.get("root_path", "") + PREFIX
    if intent is None:
        return _index(request, sight, base)
    ask = Ask(request, backend, sight, intent, base)
    is_row = intent.key is not None and intent.relation is None
    return await row_answer(ask) if is_row else await rows_answer(ask)


def _intent(request: Request, sight: Sight, segments: list[str]) -> Intent:
    if len(segments) > 3 or "" in segments:
        raise NotFound(f"There is nothing at {request.url.path}.")
    name, *below = segments
    access = entered(sight, parse_key(name, 1)[0])
    key = parse_key(below[0], len(access.resource.key)) if below else None
    relation = parse_key(below[1], 1)[0] if below[1:] else None
    return intent_from(access.resource.name, key, relation, request.scope["query_string"])


def _index(request: Request, sight: Sight, base: str) -> Response:
    """What there is, as far as this caller may read it."""
    names = [name for name in sight.schema if sight.access(name).rows != "none"]
    listed = [{"name": name, "href": collection_path(base, name)} for name in names]
    body = orjson.dumps({"resources": listed})
    return conditional(
        request, body, strong(body_tag(body)), {"cache-control": CACHING, "vary": VARY}
    )


def _redirected(request: Request) -> Response:
    """To the one canonical address, which has no slash at its end."""
    path = sent_path(request.scope).rstrip("/")
    query = request.scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{path}?{query}" if query else path, status_code=308)


def _segments(scope: Scope) -> list[str]:
    """Of the address as it was sent: a key may hold an encoded slash."""
    path, prefix = sent_path(scope), quote(scope.get("root_path", "") + PREFIX)
    below = path.removeprefix(prefix if path.startswith(prefix) else PREFIX)
    return below.removeprefix("/").split("/") if below else []


def _path_below_root(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
