"""A request is answered in time, or told to come back."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.errors import Unavailable
from tilth.runtime.web.media import is_upload


class Deadline:
    """Ends a request whose response has not started in time; a response once started may go on.

    For an upload the time counts from the last piece received: how fast those arrive is the
    client's line, which runtime.web.protocol watches.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_in_time(message: Message) -> None:
            if budget.expired():
                return
            if message["type"] == "http.response.start":
                budget.reschedule(None)
            await send(message)

        async def receive_more() -> Message:
            message = await receive()
            if message.get("body") and budget.when() is not None and not budget.expired():
                budget.reschedule(asyncio.get_running_loop().time() + self.seconds)
            return message

        try:
            async with asyncio.timeout(self.seconds) as budget:
                await self.app(scope, receive_more if is_upload(scope) else receive, send_in_time)
        except TimeoutError:
            if not budget.expired():
                raise
        if budget.expired():
            raise Unavailable(
                f"This took longer than {self.seconds:g} seconds and was stopped. Ask for less.",
                code="deadline_exceeded",
            )
