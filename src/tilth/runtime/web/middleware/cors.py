"""Cross-origin requests: an exact list of origins, and nothing said to any other."""

from collections.abc import Collection

from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import ALL_METHODS, CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.runtime.web.media import header

EXPOSED = (
    *("ETag", "Idempotency-Replayed", "Link", "Location", "Preference-Applied"),
    *("Server-Timing", "X-Request-ID"),
)
PREFLIGHT_SECONDS = 600


class Cors:
    """Starlette's CORS for the origins allowed; a request from any other goes through bare.

    Starlette alone would also tell origins not on the list which headers are exposed and that
    credentials are welcome.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str], credentials: bool) -> None:
        self.app = app
        self.origins = frozenset(origin.encode() for origin in origins)
        self.cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=ALL_METHODS,
            allow_headers=("*",),
            allow_credentials=credentials,
            expose_headers=EXPOSED,
            max_age=PREFLIGHT_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        origin = header(scope, b"origin")
        if origin is not None and (origin in self.origins or b"*" in self.origins):
            return await self.cors(scope, receive, send)

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = list(message.get("headers", ()))
                MutableHeaders(scope=message).add_vary_header("Origin")
            await send(message)

        await self.app(scope, receive, send_varying)
