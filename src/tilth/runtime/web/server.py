"""Serves an application with uvicorn, guarded against slow clients and able to stop."""

import math
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from tilth.runtime.web.protocol import DeadlineProtocol
from tilth.settings import Settings

# A worker answers its supervisor only after its imports; uvicorn's 5 s would kill and restart
# workers for ever on a busy machine.
WORKER_START_SECONDS = 60


def serve(
    app: ASGIApp | str,
    *,
    host: str,
    port: int,
    settings: Settings,
    workers: int = 1,
    listening: socket.socket | None = None,
    factory: bool = False,
    access_log: bool = False,
    log_level: str = "info",
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    app: the application, or "module:name" when it has to be imported in other processes: for more
    than one worker. listening: a socket to take connections from instead of host and port, by one
    worker.
    When stopping, streams end first; other requests get settings.web.graceful_seconds.
    """
    protocol = partial(DeadlineProtocol, budgets=settings.web)
    # A callable that makes protocols is all uvicorn needs, and unlike a class made here it can be
    # sent to worker processes.
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "http": protocol,
        "workers": workers,
        "factory": factory,
        "access_log": access_log,
        "log_level": log_level,
        "server_header": False,
        "timeout_worker_healthcheck": WORKER_START_SECONDS,
        "timeout_graceful_shutdown": math.ceil(settings.web.graceful_seconds),
    }
    if listening is None:
        uvicorn.run(app, **options)
    else:
        _run_on(listening, uvicorn.Server(uvicorn.Config(app, **options)))


def _run_on(listening: socket.socket, server: uvicorn.Server) -> None:
    """What uvicorn.run does, which takes no open socket."""
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    if not server.started:
        sys.exit(STARTUP_FAILURE)
