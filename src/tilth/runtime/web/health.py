"""Two addresses for whoever runs the server: is it alive, can it work."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LIVE_PATH = "/livez"
READY_PATH = "/readyz"
HEALTH_PATHS = (LIVE_PATH, READY_PATH)

# Answers when the thing it asks works, raises when it does not.
Probe = Callable[[], Awaitable[object]]

logger = logging.getLogger("tilth.web")


def health_routes(probes: Mapping[str, Probe], *, timeout_seconds: float = 2.0) -> list[Route]:
    """`/livez`: 200 as long as the process answers. `/readyz`: 200 when every probe passes, or 503.

    The body of `/readyz` names each probe with "ok", "failed" or "timeout"; why one failed goes
    to the log only.
    """

    async def live(request: Request) -> Response:
        return _answer(200, {"status": "ok"})

    async def ready(request: Request) -> Response:
        runs = (_run(name, probe, timeout_seconds) for name, probe in probes.items())
        outcomes = dict(zip(probes, await asyncio.gather(*runs), strict=True))
        is_ready = all(outcome == "ok" for outcome in outcomes.values())
        body = {"status": "ok" if is_ready else "unavailable", "checks": outcomes}
        return _answer(200 if is_ready else 503, body)

    return [
        Route(LIVE_PATH, live, include_in_schema=False),
        Route(READY_PATH, ready, include_in_schema=False),
    ]


async def _run(name: str, probe: Probe, timeout_seconds: float) -> str:
    try:
        async with asyncio.timeout(timeout_seconds):
            await probe()
    except TimeoutError:
        logger.warning("Not ready: %s did not answer in %g s", name, timeout_seconds)
        return "timeout"
    # A probe may fail in any way at all; each of them is an answer.
    except Exception as error:
        logger.warning("Not ready: %s failed with %s", name, type(error).__name__)
        return "failed"
    return "ok"


def _answer(status: int, body: Mapping[str, object]) -> Response:
    headers = {"cache-control": "no-store"}
    if status == 503:
        headers["retry-after"] = "1"
    return Response(orjson.dumps(body), status, headers, "application/json")
