"""/api/…: which answer an address and a method ask for."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext

import orjson
from starlette.datastructures import URLPath
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send

from tilth.errors import NotFound
from tilth.feature import Backend
from tilth.features.api.service.addresses import Address, address_of, check_is_here, segments_of
from tilth.features.api.service.allowed import allowed_methods, check_allowed, declared_methods
from tilth.features.api.service.answer import Answer
from tilth.features.api.service.answers import row_answer, rows_answer
from tilth.features.api.service.ask import Ask
from tilth.features.api.service.bodies import accept_headers
from tilth.features.api.service.conditional import CACHING, VARY, conditional
from tilth.features.api.service.etags import body_tag, strong
from tilth.features.api.service.idempotency import Once
from tilth.features.api.service.intents import intent_from
from tilth.features.api.service.jobs import Write
from tilth.features.api.service.later.kept import actor_from, request_from
from tilth.features.api.service.later.work import Later
from tilth.features.api.service.links import collection_path, sent_path
from tilth.features.api.service.media import JSON
from tilth.features.api.service.negotiate import negotiate
from tilth.features.api.service.outcome import Outcome
from tilth.features.api.service.readings import Reading, Readings, reading_from
from tilth.features.api.service.writes import planned, response_of, write_answer
from tilth.kernel.plan.read import plan_read
from tilth.kernel.plan.sight import Sight
from tilth.kernel.store.accepted import Accepted
from tilth.kernel.store.unit import Work
from tilth.runtime.web.actor import actor_of
from tilth.runtime.web.middleware.shortcut import FAILED

PREFIX = "/api"


class ApiRoute(BaseRoute):
    """Everything below /api that no route of the developer's answers.

    One look-up by name instead of a route per resource: cost does not grow with their number.
    """

    prefix = PREFIX

    def __init__(self, backend: Backend, once: Once) -> None:
        self.backend, self.once = backend, once
        self.later = later_of(backend, once)
        self.readings = Readings()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path = _path_below_root(scope)
        ours = scope["type"] == "http" and (path == PREFIX or path.startswith(f"{PREFIX}/"))
        return (Match.FULL if ours else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        raise NoMatchFound(name, dict(path_params))

    def alive(self) -> AbstractAsyncContextManager[None]:
        return nullcontext() if self.later is None else self.later.alive()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        failed: Exception | None = scope.get("state", {}).get(FAILED)
        if failed is not None:
            raise failed
        response = await self.answer(scope, receive)
        await response(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        request = Request(scope, receive)
        response = await answer(request, self)
        return _without_body(response) if scope["method"] == "HEAD" else response


def _without_body(response: Response | Answer) -> Response | Answer:
    """With the headers as they are: a stream tells no length, and nor does this."""
    if isinstance(response, Answer):
        return response.without_body()
    bare = Response(status_code=response.status_code)
    bare.raw_headers = response.raw_headers
    return bare


async def answer(request: Request, api: ApiRoute) -> Response | Answer:
    """Raises ProblemError for whatever cannot be answered."""
    backend, readings, later = api.backend, api.readings, api.later
    if request.scope["path"].endswith("/") and segments_of(request.scope, PREFIX)[-1:] == [""]:
        return _redirected(request)
    actor = await actor_of(request, backend.readers)
    sight = Sight(backend.schema, backend.rulebook, actor, backend.hooks)
    if request.scope["method"] in ("GET", "HEAD"):
        known = readings.find(request.scope, sight)
        if known is not None:
            return await _read(Ask(request, backend, sight, *known))
    segments = segments_of(request.scope, PREFIX)
    base = request.scope.get("root_path", "") + PREFIX
    address = address_of(segments, sight)
    if address.place in ("batch", "work") and later is None:
        raise NotFound(f"There is no resource {address.place!r} here.")
    if request.method in ("GET", "HEAD"):
        if address.place == "index":
            negotiate(request.headers.get("accept"), (JSON,))
            return _index(request, sight, base)
        if address.place == "work":
            negotiate(request.headers.get("accept"), (JSON,))
            assert later is not None
            assert address.other is not None
            return response_of(await later.status(address.other[0], actor))
        check_is_readable(sight, address, backend)
        reading = readings.planned(
            request.scope, sight, lambda seen: _reading(request.scope, backend, seen, address, base)
        )
        return await _read(Ask(request, backend, sight, reading, reading.plan))
    if request.method == "OPTIONS":
        check_is_here(sight, address)
        return _options(sight, address, backend)
    if request.method not in _declared(sight, address, backend):
        check_is_here(sight, address)
        raise HTTPException(405, headers={"allow": _allow(_declared(sight, address, backend))})
    check_allowed(sight, address, request.method)
    # Or no method for writing would have been declared.
    assert backend.units is not None
    assert later is not None
    write = Write(request, backend, backend.units, api.once, sight, base)
    return await write_answer(write, address, later)


def later_of(backend: Backend, once: Once) -> Later | None:
    """None when nobody may change anything."""
    units = backend.units
    if units is None:
        return None

    async def plan(accepted: Accepted) -> Work[Outcome]:
        request, actor = request_from(accepted.request, accepted.body), actor_from(accepted.request)
        sight = Sight(backend.schema, backend.rulebook, actor, backend.hooks)
        address = address_of(segments_of(request.scope, PREFIX), sight)
        check_allowed(sight, address, request.method)
        base = request.scope["root_path"] + PREFIX
        return await planned(Write(request, backend, units, once, sight, base), address)

    return Later(backend, units, plan)


def check_is_readable(sight: Sight, address: Address, backend: Backend) -> None:
    check_is_here(sight, address)
    if address.place in ("link", "batch"):
        raise HTTPException(405, headers={"allow": _allow(_declared(sight, address, backend))})


def _reading(scope: Scope, backend: Backend, sight: Sight, address: Address, base: str) -> Reading:
    query = scope["query_string"]
    intent = intent_from(address.resource, address.key, address.relation, query)
    plan = plan_read(intent, sight, backend.signer)
    caching = backend.caching.get(address.resource, CACHING)
    headers = ((b"cache-control", caching.encode("latin-1")), (b"vary", VARY.encode()))
    return reading_from(scope, intent, plan, base, headers)


async def _read(ask: Ask) -> Response | Answer:
    return await row_answer(ask) if ask.reading.is_row else await rows_answer(ask)


def _declared(sight: Sight, address: Address, backend: Backend) -> tuple[str, ...]:
    return declared_methods(sight, address, writable=backend.units is not None)


def _options(sight: Sight, address: Address, backend: Backend) -> Response:
    allowed = allowed_methods(sight, address, writable=backend.units is not None)
    return Response(
        status_code=204,
        headers={"allow": _allow(allowed), **accept_headers(allowed, address.place)},
    )


def _allow(methods: tuple[str, ...]) -> str:
    return ", ".join(methods)


def _index(request: Request, sight: Sight, base: str) -> Answer:
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


def _path_below_root(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
