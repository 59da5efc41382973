"""An answer that is complete: status, headers and body as they go over the wire."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

Header = tuple[bytes, bytes]


class Answer:
    """Sent as it is; Starlette's Response would look at every header again."""

    __slots__ = ("body", "raw_headers", "status_code")

    def __init__(self, status_code: int, body: bytes, raw_headers: list[Header]) -> None:
        """raw_headers: names in lower case."""
        self.status_code, self.body, self.raw_headers = status_code, body, raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})

    def without_body(self) -> Answer:
        return Answer(self.status_code, b"", self.raw_headers)
