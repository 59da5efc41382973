"""A client that goes away before its answer is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

Result = TypeVar("Result")


async def unless_gone(request: Request, work: Awaitable[Result]) -> Result:
    """What work comes to. It is cancelled when the client goes away first.

    Raises ClientDisconnect then. The body of the request must have been read.
    """
    doing = asyncio.ensure_future(work)
    watching = asyncio.get_running_loop().create_task(_gone(request))
    watching.add_done_callback(lambda done: done.cancelled() or doing.cancel())
    try:
        return await doing
    except asyncio.CancelledError:
        if watching.done():
            raise ClientDisconnect from None
        raise
    finally:
        watching.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
