"""A JSON body is checked before any route sees it, whoever wrote the route."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.errors import UnsupportedMedia
from tilth.runtime.web.json import JsonLimits, parse_json
from tilth.runtime.web.media import header, is_json


class JsonBodies:
    """Reads the body whole, refuses one that `parse_json` refuses, and passes it on unchanged.

    An empty body goes through: whether one is needed, the route decides. A compressed one does
    not: its size and depth are those of what it unpacks to, which nothing here bounds.
    """

    def __init__(self, app: ASGIApp, limits: JsonLimits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_json(scope):
            return await self.app(scope, receive, send)
        coding = (header(scope, b"content-encoding") or b"identity").strip().lower()
        if coding not in (b"", b"identity"):
            raise _compressed(coding.decode("latin-1"))
        body = await _read(receive)
        if body:
            parse_json(body, self.limits)
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


def _compressed(coding: str) -> UnsupportedMedia:
    detail = f"The body is encoded as {coding[:40]!r}. Send JSON without Content-Encoding."
    return UnsupportedMedia(detail, headers={"Accept-Encoding": "identity"})


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
