"""A load client: keep-alive connections over plain sockets, in one process, one request each at a time."""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Protocol

RECEIVE_BYTES = 1 << 18
SILENT_SECONDS = 30.0


class Talk(Protocol):
    """What one connection says, and what it makes of the answers."""

    def next(self) -> bytes:
        """The next request, as it goes over the wire."""

    def hear(self, answer: bytes) -> None:
        """An answer as it came, head and body. Raises ValueError when it is not as it must be."""


@dataclass(frozen=True, slots=True)
class Sample:
    """seconds: from the first request to the last answer. busy: of the client's own core, 0 to 1."""

    requests: int
    seconds: float
    median_seconds: float
    slow_seconds: float
    busy: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Line:
    """One connection. wanted: bytes of the answer under way, 0 while its head is not complete."""

    __slots__ = ("buffer", "port", "sent_at", "socket", "talk", "wanted")

    def __init__(self, port: int, talk: Talk) -> None:
        self.port, self.talk = port, talk
        self.buffer, self.wanted, self.sent_at = b"", 0, 0.0
        self.socket = self.connected()

    def connected(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=SILENT_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self) -> None:
        self.sent_at = perf_counter()
        self.socket.sendall(self.talk.next())

    def heard(self) -> bool:
        """Whether the answer is complete."""
        received = self.socket.recv(RECEIVE_BYTES)
        if not received:
            raise ConnectionError("The server closed a connection in the middle of a measurement.")
        self.buffer = self.buffer + received if self.buffer else received
        if not self.wanted:
            self.wanted = _size_of(self.buffer)
        if not self.wanted or len(self.buffer) < self.wanted:
            return False
        self.talk.hear(self.buffer)
        self.buffer, self.wanted = b"", 0
        return True


def _size_of(answer: bytes) -> int:
    """Of the whole answer; 0 when its head is not complete. Every answer here has a length."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = answer[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError(f"An answer without a length: {answer[:200]!r}")
    return end + 4 + int(head[at + 17 :].partition(b"\r\n")[0])


def drive(port: int, talks: Sequence[Talk], seconds: float) -> Sample:
    """Every connection asks again as soon as it is answered, until the time is over."""
    lines = {}
    for talk in talks:
        line = Line(port, talk)
        lines[line.socket.fileno()] = line
    poll = select.epoll()
    try:
        return _driven(poll, lines, seconds)
    finally:
        poll.close()
        for line in lines.values():
            line.socket.close()


def _driven(poll: select.epoll, lines: dict[int, Line], seconds: float) -> Sample:
    began, worked = perf_counter(), process_time()
    for number, line in lines.items():
        poll.register(number, select.EPOLLIN)
        line.ask()
    ends, waiting, times = began + seconds, len(lines), list[float]()
    while waiting:
        ready = poll.poll(SILENT_SECONDS)
        if not ready:
            raise TimeoutError(f"No answer for {SILENT_SECONDS:g} seconds.")
        for number, _ in ready:
            line = lines[number]
            if not line.heard():
                continue
            now = perf_counter()
            times.append(now - line.sent_at)
            if now < ends:
                line.ask()
            else:
                waiting -= 1
    took = perf_counter() - began
    times.sort()
    return Sample(
        len(times),
        took,
        times[len(times) // 2],
        times[int(len(times) * 0.99)],
        (process_time() - worked) / took,
    )


def ask_once(port: int, request: bytes) -> bytes:
    """One request on a connection of its own; the answer, head and body."""

    class Once:
        answer = b""

        def next(self) -> bytes:
            return request

        def hear(self, answer: bytes) -> None:
            self.answer = answer

    talk = Once()
    drive(port, [talk], 0)
    return talk.answer
