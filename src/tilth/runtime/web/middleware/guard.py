"""The edge: a request is answered in time, a stream ends when the server does, and what nothing
further in has answered is answered here, in the one error format.

One layer for the three: each layer costs every request a call in and two out.
"""

from __future__ import annotations

import asyncio
import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.errors import ProblemError, Unavailable
from tilth.runtime.web.media import is_event_stream, is_upload
from tilth.runtime.web.middleware.deadline import Budget
from tilth.runtime.web.problem import problem_response, request_id_of, unexpected_response
from tilth.runtime.web.streams import STATE_KEY, OpenStreams, Stream

logger = logging.getLogger("tilth.web")


class Guard:
    """Ends a request whose response has not started in time; a response once started may go on.

    For an upload the time counts from the last piece received: how fast those arrive is the
    client's line, which runtime.web.protocol watches.

    Each response that comes in several pieces is registered with the server (runtime.web.protocol)
    and ended when it stops. A stream of events is ended properly, so that the browser reconnects;
    any other is broken off visibly, so that half a download is not taken for a whole one.

    An unexpected error is answered and then raised again: the server logs it once, with its
    traceback and, as a note on it, the request it belongs to.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        watch = Watch(scope, receive, send, self.seconds)
        try:
            await self._run(scope, watch)
        except ClientDisconnect:
            # Anybody can cause these at will: at a higher level they would fill the log.
            logger.debug("%s: the client went away", request_id_of(scope))
        except ProblemError as error:
            if watch.is_started:
                raise
            await problem_response(error, request_id_of(scope))(scope, receive, send)
        except Exception as error:
            request_id = request_id_of(scope)
            error.add_note(f"While answering {scope['method']} {scope['path']!r} ({request_id=})")
            if not watch.is_started:
                await unexpected_response(request_id)(scope, receive, send)
            raise

    async def _run(self, scope: Scope, watch: Watch) -> None:
        receive = watch.receive if is_upload(scope) else watch.receive_as_it_is
        try:
            await self.app(scope, receive, watch.send)
        except asyncio.CancelledError:
            if not watch.takes_back_the_cancellation():
                raise
        finally:
            watch.end()
        if watch.budget.is_spent:
            raise self._too_long()
        await watch.close_events()

    def _too_long(self) -> Unavailable:
        return Unavailable(
            f"This took longer than {self.seconds:g} seconds and was stopped. Ask for less.",
            code="deadline_exceeded",
        )


class Watch:
    """One request on its way through."""

    __slots__ = (
        "_headers",
        "_send",
        "_stream",
        "_streams",
        "budget",
        "is_started",
        "receive_as_it_is",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, seconds: float) -> None:
        self.receive_as_it_is, self._send = receive, send
        self.budget = Budget(seconds)
        self.is_started = False
        self._headers: list[tuple[bytes, bytes]] = []
        # None under a server that does not keep them.
        self._streams: OpenStreams | None = scope.get("state", {}).get(STATE_KEY)
        self._stream: Stream | None = None

    async def send(self, message: Message) -> None:
        if self.budget.is_spent:
            return
        if message["type"] == "http.response.start":
            self.is_started = True
            self._headers = message.get("headers", [])
            self.budget.lift()
        elif message.get("more_body", False):
            self._register()
        elif self._stream is not None:
            self._stream.is_complete = True
        await self._send(message)

    async def receive(self) -> Message:
        message = await self.receive_as_it_is()
        if message.get("body"):
            self.budget.restart()
        return message

    def takes_back_the_cancellation(self) -> bool:
        """Whether it was this request's own time, or its stream's, that was over."""
        if self.budget.is_spent:
            self.budget.absorb()
            return True
        if self._stream is not None and self._stream.was_ended:
            self._stream.absorb_end()
            return True
        return False

    def end(self) -> None:
        self.budget.lift()
        if self._stream is not None and self._streams is not None:
            self._streams.discard(self._stream)

    async def close_events(self) -> None:
        stream = self._stream
        if stream is not None and stream.was_ended and stream.is_events:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _register(self) -> None:
        task = self.budget.task
        if self._streams is None or task is None:
            return
        if self._stream is None:
            self._stream = Stream(task)
            self._stream.is_events = is_event_stream(self._headers)
        self._streams.add(self._stream)
