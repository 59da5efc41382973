"""Responses that are still being sent, so that a stopping server can end them."""

import asyncio

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
