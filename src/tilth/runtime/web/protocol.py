"""uvicorn's HTTP protocol, with deadlines for what the client has to send.

uvicorn waits for ever for a request to arrive: silent connections, headers and bodies that drip or
stop coming each hold one. Here the client has a budget for every part it owes, and none while the
server is the one that is slow.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any, Literal

from starlette.responses import Response
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from tilth.kit.ids import uuid7_text
from tilth.runtime.web.problem import KNOWN_METHODS, problem_of_status
from tilth.runtime.web.streams import STATE_KEY, OpenStreams
from tilth.settings import WebSettings

# How often a body that is not there yet is looked at; short budgets, as in tests, need finer steps.
LONGEST_TICK_SECONDS = 1.0
TICKS_PER_BUDGET = 4


# RFC 9112 section 3. The parser stops at the first letter that begins none of the methods it knows.
_REQUEST_LINE = re.compile(rb"(?:\r?\n)*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}) \S+ HTTP/1\.[01]\r?\n")
_HOST = "An HTTP/1.1 request names its host once, in the header Host (RFC 9112 section 3.2)."


class BadHost(Exception):
    """Stops the parser, which makes an error of its own of it."""


@dataclass(slots=True)
class Arrival:
    """How a body is coming in. Times are those of the event loop's clock."""

    started: float
    latest: float
    received: int = 0
    answered: float | None = None

    def forgive(self, now: float) -> None:
        """Start again: until now the server was not taking what the client had to send."""
        self.started = self.latest = now
        self.received = 0

    def is_late(self, now: float, budgets: WebSettings) -> bool:
        if now - self.latest > budgets.body_idle_seconds:
            return True
        age = now - self.started
        expected = age * budgets.body_floor_bytes_per_second
        return age > budgets.body_idle_seconds and self.received < expected


class DeadlineProtocol(HttpToolsProtocol):
    """One connection. A subclass because uvicorn's protocols have no other way in.

    awaited: what the client has to send next; "nothing" once a request is here in full.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        budgets: WebSettings,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.timeout_keep_alive = budgets.keep_alive_seconds  # type: ignore[assignment]
        self.budgets = budgets
        self.streams: OpenStreams = app_state.setdefault(STATE_KEY, OpenStreams())
        self.awaited: Literal["head", "body", "nothing"] = "head"
        self.arrival: Arrival | None = None
        self.head_bytes = 0
        self.chunk_bytes = 0
        self.chunk = b""
        self.complaint: str | None = None
        self.receive_timer: asyncio.TimerHandle | None = None
        self.send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.chunk, self.chunk_bytes = data, len(data)
        super().data_received(data)
        self.chunk = b""
        if self.transport.is_closing():
            self._unwatch()
        elif self.awaited == "head":
            self._watch_head()
            self._bound_head()
        elif self.awaited == "body":
            self._watch_body()
        elif self._is_idle() and self.timeout_keep_alive_task is None:
            # Bytes that begin no request, such as empty lines, have ended the keep-alive budget.
            self.awaited = "head"
            self._watch_head()

    def handle_websocket_upgrade(self) -> None:
        self._unwatch()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.awaited = "head"
        # The chunk that is being read may hold the end of another request: it does not count.
        self.head_bytes = -self.chunk_bytes

    def on_headers_complete(self) -> None:
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts != 1 and self.parser.get_http_version() == "1.1":
            self.complaint = _HOST
            raise BadHost
        super().on_headers_complete()
        self._unwatch()
        self.awaited = "body"
        if not self.parser.should_upgrade():
            # Trailers must not become headers (RFC 9110 section 6.5.1): they go to a list apart.
            self.headers = []

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.arrival is not None:
            self.arrival.received += len(body)
            self.arrival.latest = self.loop.time()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._unwatch()
        self.awaited = "nothing"

    def shutdown(self) -> None:
        self.streams.stop()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        unknown = self._unknown_method()
        if unknown is None:
            self._cut(_refusal(400, "bad_request", self.complaint or msg))
        else:
            detail = f"The method {unknown} is not known here."
            self._cut(_refusal(501, "not_implemented", detail))

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.send_timer is None:
            stalled = self.budgets.send_stall_seconds
            self.send_timer = self.loop.call_later(stalled, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.send_timer is not None:
            self.send_timer.cancel()
            self.send_timer = None

    def _unknown_method(self) -> str | None:
        """Of a request that would be one but for its method.

        None when it came in several pieces or behind another one: then it is a bad request.
        """
        line = _REQUEST_LINE.match(self.chunk) if self.awaited != "body" else None
        method = line[1].decode() if line else None
        return None if method in KNOWN_METHODS else method

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch_head(self) -> None:
        if self.receive_timer is None:
            seconds = self.budgets.header_seconds
            self.receive_timer = self.loop.call_later(seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self.receive_timer = None
        if not self._is_idle():
            # Half a request behind one that is still being answered: the client may wait for that.
            self._watch_head()
            return
        seconds = self.budgets.header_seconds
        detail = f"The request headers did not arrive within {seconds:g} seconds."
        self._cut(_refusal(408, "headers_too_slow", detail))

    def _bound_head(self) -> None:
        self.head_bytes += self.chunk_bytes
        if self.head_bytes > self.budgets.header_bytes:
            detail = f"The request headers are larger than {self.budgets.header_bytes:,} bytes."
            self._cut(_refusal(431, "headers_too_large", detail))

    def _watch_body(self) -> None:
        self.headers.clear()
        if self.arrival is None:
            now = self.loop.time()
            self.arrival = Arrival(started=now, latest=now)
        if self.receive_timer is None:
            tick = min(LONGEST_TICK_SECONDS, self.budgets.body_idle_seconds / TICKS_PER_BUDGET)
            self.receive_timer = self.loop.call_later(tick, self._look_at_body)

    def _look_at_body(self) -> None:
        self.receive_timer = None
        arrival, now = self.arrival, self.loop.time()
        if arrival is None:
            return
        if self._holds_back_client():
            arrival.forgive(now)
        elif self.cycle.response_complete:
            # Answered early, such as by 413: the rest is read and thrown away for a while, because
            # closing at once would take the answer back from a client that is still sending.
            arrival.answered = arrival.answered or now
            if now - arrival.answered > self.budgets.keep_alive_seconds:
                self.transport.close()
                return
        if arrival.is_late(now, self.budgets):
            self._cut(_refusal(408, "body_too_slow", "The request body came too slowly."))
            return
        self._watch_body()

    def _holds_back_client(self) -> bool:
        return self.flow.read_paused or bool(self.pipeline) or self.cycle.waiting_for_100_continue

    def _unwatch(self) -> None:
        self.arrival = None
        if self.receive_timer is not None:
            self.receive_timer.cancel()
            self.receive_timer = None

    def _cut(self, answer: Response) -> None:
        """Close the connection, with answer when nothing of another one was sent."""
        self._unwatch()
        if self.transport.is_closing():
            return
        if self._may_answer():
            self.transport.write(_wire_bytes(answer, self.server_state.default_headers))
        if not self._is_idle():
            # Told now rather than when the connection is gone: what the application still sends
            # must not follow this answer.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _may_answer(self) -> bool:
        """Whether an answer sent now could only be taken for that of the request being received."""
        if self._is_idle():
            return True
        is_next = self.awaited == "body" and not self.pipeline
        return is_next and not self.cycle.response_started


def _refusal(status: int, code: str, detail: str) -> Response:
    return problem_of_status(status, code, detail, uuid7_text())


def _wire_bytes(answer: Response, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    headers = [*default_headers, *answer.raw_headers, (b"connection", b"close")]
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    return b"".join([STATUS_LINE[answer.status_code], *lines, b"\r\n", bytes(answer.body)])
