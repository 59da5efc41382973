"""Limits on what one caller may ask of the server: how much, and how often."""

from collections.abc import Collection
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.errors import PayloadTooLarge
from tilth.runtime.web.media import has_body, header, is_upload

ENOUGH_DIGITS = 19


class BodySize:
    """Refuses a body that is too large, by its announced length or as soon as it grows so."""

    def __init__(self, app: ASGIApp, parsed_bytes: int, upload_bytes: int) -> None:
        self.app = app
        self.parsed_bytes = parsed_bytes
        self.upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not has_body(scope):
            return await self.app(scope, receive, send)
        limit = self.upload_bytes if is_upload(scope) else self.parsed_bytes
        if _announced_bytes(scope) > limit:
            raise _too_large(limit)
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        async def send_if_small(message: Message) -> None:
            # FastAPI would turn the error above into its own 400; the 413 follows instead.
            if received <= limit:
                await send(message)

        await self.app(scope, receive_limited, send_if_small)
        if received > limit:
            raise _too_large(limit)


class RateLimiter(Protocol):
    """Decides how often a caller may ask."""

    async def check(self, scope: Scope) -> None:
        """Raises TooManyRequests, with a Retry-After header, when it is once too often."""


class RateLimit:
    """Asks a rate limiter before anything else is done for a request."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter, exempt: Collection[str]) -> None:
        self.app = app
        self.limiter = limiter
        self.exempt = frozenset(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self.exempt:
            await self.limiter.check(scope)
        await self.app(scope, receive, send)


def _announced_bytes(scope: Scope) -> int:
    value = header(scope, b"content-length")
    if value is None or not value.isdigit():
        return 0
    # Its first digits tell enough, and int() refuses thousands of them.
    return int(value.lstrip(b"0")[:ENOUGH_DIGITS] or b"0")


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit:,} bytes, the most accepted here.")
