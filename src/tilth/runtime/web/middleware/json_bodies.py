"""A JSON body is checked before any route sees it, whoever wrote the route."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.runtime.web.json import JsonLimits, parse_json
from tilth.runtime.web.media import is_json

GZIP_MAGIC = b"\x1f\x8b"


class JsonBodies:
    """Reads the body whole, refuses one that `parse_json` refuses, and passes it on unchanged.

    An empty body goes through: whether one is needed, the route decides. So does a gzipped one,
    which is no JSON until a route unpacks it.
    """

    def __init__(self, app: ASGIApp, limits: JsonLimits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_json(scope):
            return await self.app(scope, receive, send)
        body = await _read(receive)
        if body and not body.startswith(GZIP_MAGIC):
            parse_json(body, self.limits)
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


async def _read(receive: Receive) -> bytes:
    """The whole body; its size is bounded further out, by limits.BodySize."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)
