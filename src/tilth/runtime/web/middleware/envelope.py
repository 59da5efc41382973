"""What every answer carries beside its own: the id of its request, how long it took, and safety."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.runtime.web.middleware.request_id import request_id_for
from tilth.runtime.web.middleware.security_headers import secured
from tilth.runtime.web.middleware.timing import Timing, timed
from tilth.runtime.web.problem import REQUEST_ID


class Envelope:
    """One layer for the three: each layer costs every request a call in and two out."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        request_id = request_id_for(scope)
        scope.setdefault("state", {})[REQUEST_ID] = request_id.decode()
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        durations, encrypted = timed(scope, Timing()), scope["scheme"] == "https"

        async def send_enveloped(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = secured(list(message.get("headers", ())), encrypted)
                headers.append((b"server-timing", durations.header()))
                headers.append((b"x-request-id", request_id))
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_enveloped)
