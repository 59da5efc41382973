"""Serves an application with uvicorn, guarded against slow clients and able to stop."""

import asyncio
import math
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

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
    reload_dirs: tuple[str, ...] = (),
    factory: bool = False,
    access_log: bool = False,
    log_level: str = "info",
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in flight.

    app: the application, or "module:name" when it has to be imported in other processes: for more
    than one worker, and for reloading. reload_dirs: reload when a Python file in them changes.
    When stopping, streams end first; other requests get settings.web.graceful_seconds.
    """
    protocol = partial(DeadlineProtocol, budgets=settings.web)
    uvicorn.run(
        app,
        host=host,
        port=port,
        # A callable that makes protocols is all uvicorn needs, and unlike a class made here it
        # can be sent to worker processes.
        http=cast("type[asyncio.Protocol]", protocol),
        workers=workers,
        reload=bool(reload_dirs),
        reload_dirs=list(reload_dirs) or None,
        factory=factory,
        access_log=access_log,
        log_level=log_level,
        server_header=False,
        timeout_worker_healthcheck=WORKER_START_SECONDS,
        timeout_graceful_shutdown=math.ceil(settings.web.graceful_seconds),
    )
