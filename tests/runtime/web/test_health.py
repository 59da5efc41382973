"""/livez answers whatever happens, /readyz says which part does not work and not why."""

import asyncio

import pytest
from starlette.applications import Starlette

from tilth.runtime.web.health import health_routes


async def works():
    return 1


async def fails():
    raise ConnectionError("password is hunter2")


async def hangs():
    await asyncio.Event().wait()


CHECKS = {
    "nothing to check": ({}, 200, {}),
    "all work": ({"database": works}, 200, {"database": "ok"}),
    "one fails": (
        {"database": fails, "mail": works},
        503,
        {"database": "failed", "mail": "ok"},
    ),
    "one hangs": ({"database": hangs, "mail": works}, 503, {"database": "timeout", "mail": "ok"}),
}


@pytest.mark.parametrize("name", CHECKS)
def test_ready_names_what_works_and_what_does_not(ask, name):
    probes, status, checks = CHECKS[name]
    app = Starlette(routes=health_routes(probes, timeout_seconds=0.05))

    answer = ask(app, "GET", "/readyz")

    assert (answer.status_code, answer.json()["checks"]) == (status, checks)
    assert ("retry-after" in answer.headers) is (status == 503)


def test_live_asks_nothing(ask):
    app = Starlette(routes=health_routes({"database": fails}))

    answer = ask(app, "GET", "/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
