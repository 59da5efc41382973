"""A request is answered in time, or told to come back."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.errors import Unavailable
from tilth.runtime.web.media import is_upload


class Budget:
    """The time one task has until it is cancelled.

    asyncio.timeout does the same at five times the cost, a fifth of all middleware together.
    """

    def __init__(self, seconds: float) -> None:
        self.is_spent = False
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._timer = self._loop.call_later(seconds, self._spend)

    def restart(self) -> None:
        if not self._timer.cancelled() and not self.is_spent:
            self._timer.cancel()
            self._timer = self._loop.call_later(self._seconds, self._spend)

    def lift(self) -> None:
        self._timer.cancel()

    def absorb(self) -> None:
        """Take back the cancellation: the task answers it."""
        if self._task is not None:
            self._task.uncancel()

    def _spend(self) -> None:
        self.is_spent = True
        if self._task is not None:
            self._task.cancel("the request took too long")


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
        budget = Budget(self.seconds)

        async def send_in_time(message: Message) -> None:
            if not budget.is_spent:
                budget.lift()
                await send(message)

        async def receive_more() -> Message:
            message = await receive()
            if message.get("body"):
                budget.restart()
            return message

        try:
            await self.app(scope, receive_more if is_upload(scope) else receive, send_in_time)
        except asyncio.CancelledError:
            if not budget.is_spent:
                raise
        finally:
            budget.lift()
        if budget.is_spent:
            budget.absorb()
            raise self._too_long()

    def _too_long(self) -> Unavailable:
        return Unavailable(
            f"This took longer than {self.seconds:g} seconds and was stopped. Ask for less.",
            code="deadline_exceeded",
        )
