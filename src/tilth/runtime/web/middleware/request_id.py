"""Every request has an id: the caller's own when it is sane, else a fresh one."""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.kit.ids import uuid7_text
from tilth.runtime.web.media import header
from tilth.runtime.web.problem import REQUEST_ID

# It is copied into logs and headers, so nothing that could end a line or a quoted string.
SANE = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class RequestId:
    """Keeps the id in the scope's state and sends it back as X-Request-ID."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        sent = header(scope, b"x-request-id")
        request_id = sent if sent and SANE.fullmatch(sent) else uuid7_text().encode()
        scope.setdefault("state", {})[REQUEST_ID] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        await self.app(scope, receive, send_with_id)
