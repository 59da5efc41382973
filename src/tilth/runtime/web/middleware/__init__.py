"""The one list of middleware, outermost first."""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.types import ASGIApp

from tilth.errors import SetupError
from tilth.runtime.web.health import HEALTH_PATHS
from tilth.runtime.web.json import JsonLimits
from tilth.runtime.web.middleware.cors import Cors
from tilth.runtime.web.middleware.envelope import Envelope
from tilth.runtime.web.middleware.guard import Guard
from tilth.runtime.web.middleware.json_bodies import JsonBodies
from tilth.runtime.web.middleware.limits import BodySize, RateLimit, RateLimiter
from tilth.runtime.web.middleware.queries import Queries
from tilth.settings import Settings, cors_findings


def web_stack(
    settings: Settings, *, limiter: RateLimiter | None = None, layers: Sequence[Middleware] = ()
) -> list[Middleware]:
    """What a request passes through before the application, in this order; layers come last.

    Raises SetupError when the CORS settings would let any site act as the signed-in user.
    """
    web = settings.web
    findings = cors_findings(web)
    if findings:
        raise SetupError(*findings)
    limits = JsonLimits(depth=web.json_depth, digits=web.json_digits)
    cors = Middleware(Cors, origins=web.cors_origins, credentials=web.cors_credentials)
    stack: list[Middleware | None] = [
        Middleware(Envelope),
        cors if web.cors_origins else None,
        Middleware(Guard, seconds=web.request_seconds),
        Middleware(RateLimit, limiter=limiter, exempt=HEALTH_PATHS) if limiter else None,
        Middleware(BodySize, parsed_bytes=web.json_bytes, upload_bytes=web.upload_bytes),
        Middleware(JsonBodies, limits=limits),
        Middleware(Queries) if settings.environment == "development" else None,
        *layers,
    ]
    return [middleware for middleware in stack if middleware is not None]


def wrapped(app: ASGIApp, stack: list[Middleware]) -> ASGIApp:
    """app inside every middleware of stack, the first one outermost.

    Put it around the whole application, its error handling included, so that a 500 carries the
    same headers as any other answer.
    """
    for middleware in reversed(stack):
        app = middleware.cls(app, *middleware.args, **middleware.kwargs)
    return app
