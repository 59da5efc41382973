"""Responses that are still being sent, so that a stopping server can end them."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.runtime.web.media import is_event_stream

STATE_KEY = "tilth_streams"

# What a stream that may well be finite, such as a download, gets to finish in.
GRACE_SECONDS = 1.0


class OpenStreams:
    """The open streams of one server, kept in the state it hands to every request."""

    def __init__(self) -> None:
        self.is_stopping = False
        self._streams: set[Stream] = set()

    def add(self, stream: "Stream") -> None:
        if stream in self._streams:
            return
        self._streams.add(stream)
        if self.is_stopping:
            stream.end_soon()

    def discard(self, stream: "Stream") -> None:
        self._streams.discard(stream)

    def stop(self) -> None:
        """End every stream: events at once, others after a short grace; later ones likewise."""
        if self.is_stopping:
            return
        self.is_stopping = True
        for stream in tuple(self._streams):
            stream.end_soon()


class Stream:
    """One response, from its first piece to its last."""

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self.is_events = False
        self.is_complete = False
        self.was_ended = False
        self._task = task

    def end_soon(self) -> None:
        delay = 0.0 if self.is_events else GRACE_SECONDS
        self._task.get_loop().call_later(delay, self._end)

    def _end(self) -> None:
        if not self.is_complete:
            self.was_ended = True
            self._task.cancel("the server is stopping")

    def absorb_end(self) -> None:
        """Take back the cancellation that ended the stream: the task has answered it."""
        self._task.uncancel()


class Streams:
    """Registers each response that comes in several pieces, and ends it when told to.

    The server keeps the registry (runtime.web.protocol); under another server this does nothing.
    A stream of events is ended properly, so that the browser reconnects; any other is broken off
    visibly, so that half a download is not taken for a whole one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        registry = scope.get("state", {}).get(STATE_KEY)
        task = asyncio.current_task()
        if scope["type"] != "http" or registry is None or task is None:
            return await self.app(scope, receive, send)
        stream = Stream(task)

        async def send_watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                stream.is_events = is_event_stream(message.get("headers", []))
            elif message.get("more_body", False):
                registry.add(stream)
            else:
                stream.is_complete = True
            await send(message)

        try:
            await self.app(scope, receive, send_watched)
        except asyncio.CancelledError:
            if not stream.was_ended:
                raise
            stream.absorb_end()
        finally:
            registry.discard(stream)
        if stream.was_ended and stream.is_events:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
