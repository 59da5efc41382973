"""One event and one subscriber → None, or why it failed: the edge to the developer's functions."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from tilth.kernel.store.deliveries import Delivery
from tilth.runtime.relay.subscribers import React

logger = logging.getLogger("tilth.relay")


class Call:
    """Calls one subscriber, one event at a time.

    A plain function has a thread of its own. One that takes too long cannot be stopped, so it
    keeps that thread and no other: until it returns, what follows fails as well.
    """

    def __init__(self, react: React, seconds: float) -> None:
        """seconds: after which the call has failed."""
        self._react: Any = react
        self._seconds = seconds
        self._thread: ThreadPoolExecutor | None = None
        if not (iscoroutinefunction(react) or iscoroutinefunction(type(react).__call__)):
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="tilth-relay")

    async def failure(self, delivery: Delivery) -> str | None:
        """Logged with its traceback."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._call(delivery)
        except Exception as exc:
            where = (delivery.subscriber, delivery.event.type, delivery.event.id, delivery.attempt)
            logger.exception("%s failed with %s %s (attempt %d)", *where)
            return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
        return None

    def close(self) -> None:
        """Does not wait for a function that takes too long."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _call(self, delivery: Delivery) -> None:
        if self._thread is None:
            await self._react(delivery.event)
        else:
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._thread, self._react, delivery.event)
            # A plain function around a coroutine function, as decorators make them.
            if isawaitable(answer):
                await answer
