"""Serves an application with uvicorn, guarded against slow clients and able to stop."""

import math
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from tilth.runtime.web.protocol import DeadlineProtocol
from tilth.settings import Settings

Factory = Callable[[], ASGIApp]

# A worker answers its supervisor only after its imports; uvicorn's 5 s would kill and restart
# workers for ever on a busy machine.
WORKER_START_SECONDS = 60


def serve(
    app: ASGIApp | Factory,
    *,
    host: str,
    port: int,
    settings: Settings,
    workers: int = 1,
    listening: socket.socket | None = None,
    factory: bool = False,
    access_log: bool = False,
    log_level: str = "info",
    when_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    app: the application; for more than one worker, and with factory, a function that makes it in
    each process, which has to be one that pickle can send there. listening: a socket to take
    connections from, instead of host and port. when_ready: called once, in this process, when every
    worker has started and takes requests; never if one could not start.
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
        # Whoever else sends these headers is who they are, wherever they say they come from.
        "proxy_headers": bool(settings.web.proxies),
        "forwarded_allow_ips": list(settings.web.proxies),
        "timeout_worker_healthcheck": WORKER_START_SECONDS,
        "timeout_graceful_shutdown": math.ceil(settings.web.graceful_seconds),
    }
    config = uvicorn.Config(app, **options)
    if workers > 1:
        _run_workers(_Supervisor(config, [listening or config.bind_socket()], when_ready))
    else:
        _run(_Server(config, when_ready), [listening] if listening else None)


# uvicorn has no hook for this moment but to extend its methods.
class _Server(uvicorn.Server):
    """Says when it takes requests."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the process when it fails."""
        await super().startup(sockets)
        self._when_ready()


class _Supervisor(Multiprocess):
    """Says when all of its workers take requests."""

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: list[socket.socket],
        when_ready: Callable[[], None],
    ) -> None:
        super().__init__(config, sockets)
        self._when_ready: Callable[[], None] | None = when_ready

    def keep_subprocess_alive(self) -> None:
        """Called twice a second."""
        super().keep_subprocess_alive()
        if self._when_ready is None or self.should_exit.is_set():
            return
        if all(process.is_ready(WORKER_START_SECONDS) for process in self.processes):
            self._when_ready()
            self._when_ready = None


def _run(server: uvicorn.Server, sockets: list[socket.socket] | None) -> None:
    with suppress(KeyboardInterrupt):
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def _run_workers(supervisor: Multiprocess) -> None:
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)
