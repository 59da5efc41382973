"""A real server in a process of its own and clients that speak to it byte by byte; or no server."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from tilth.runtime.web.middleware import web_stack, wrapped
from tilth.runtime.web.middleware.limits import RateLimiter
from tilth.runtime.web.problem import exception_handlers
from tilth.settings import Settings, WebSettings

PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Cut:
    """How a connection ended: what was received in all, and how long after it was opened."""

    received: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class RunningServer:
    process: "subprocess.Popen[str]"
    port: int

    @contextmanager
    def connection(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS) as connection:
            yield connection

    def ask(self, request: bytes) -> bytes:
        """Everything that comes back until the server closes the connection."""
        with self.connection() as connection:
            connection.sendall(request)
            return read_to_end(connection)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def rest_of_log(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()


def read_to_end(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def drip(connection: socket.socket, pieces: Iterator[bytes], pause_seconds: float) -> Cut:
    """Send a piece after every pause until the server closes; then what it had to say."""
    opened, received = monotonic(), b""
    connection.settimeout(pause_seconds)
    while monotonic() - opened < PATIENCE_SECONDS:
        try:
            piece = connection.recv(65536)
            if not piece:
                return Cut(received, monotonic() - opened)
            received += piece
        except TimeoutError:
            connection.sendall(next(pieces, b""))
        except ConnectionResetError:
            return Cut(received, monotonic() - opened)
    raise AssertionError("the server kept the connection open")


@pytest.fixture(name="drip")
def drip_fixture() -> Callable[[socket.socket, Iterator[bytes], float], Cut]:
    return drip


@pytest.fixture(name="read_to_end")
def read_to_end_fixture() -> Callable[[socket.socket], bytes]:
    return read_to_end


@pytest.fixture(scope="module")
def new_server() -> Iterator[Callable[..., RunningServer]]:
    """Starts the application of served.py with the settings given; stopped at the end."""
    processes = []

    def start(**settings: object) -> RunningServer:
        environ = {name: value for name, value in os.environ.items() if "TILTH_" not in name}
        environ |= {f"TILTH_{name.upper()}": str(value) for name, value in settings.items()}
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("served.py")],
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                return RunningServer(process, int(found[1]))
        raise AssertionError("the server did not start")

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def ask() -> Callable[..., httpx.Response]:
    """One request to an application in this process; what it raises is the server's to log."""

    def answer_of(app: ASGIApp, method: str, path: str, **options: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return asyncio.run(answer())

    return answer_of


@pytest.fixture
def app_with() -> Callable[..., ASGIApp]:
    """A Starlette application of these routes behind the whole stack; options are WebSettings."""

    def build(*routes: BaseRoute, limiter: RateLimiter | None = None, **web: Any) -> ASGIApp:
        app = Starlette(routes=list(routes), exception_handlers=exception_handlers())
        settings = Settings(web=WebSettings(**web))
        return wrapped(app, web_stack(settings, limiter=limiter))

    return build
