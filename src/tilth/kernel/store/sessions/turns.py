"""Whose turn it is to write, where a database has one writer at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event

from tilth.errors import Unavailable
from tilth.kernel.store.drivers.failure import no_turn, unavailable


class Turns:
    """Hands out the right to write, in the order of asking, among units and sessions alike.

    The thread that carries out the units of work stands still while somebody else has the turn, so
    that nobody has to win a race for SQLite's lock.
    """

    def __init__(
        self,
        submit: Callable[[Callable[[], object]], Future[object]],
        wait_seconds: float,
        label: str,
    ) -> None:
        """submit: has a function called by the thread of the units."""
        self._submit, self._wait_seconds, self._label = submit, wait_seconds, label

    def take(self) -> Callable[[], None]:
        """Blocks the thread; answers what gives the turn back. Raises Unavailable."""
        taken, over = Event(), Event()

        def stand_still() -> None:
            taken.set()
            over.wait()

        future = self._submit(stand_still)
        # One that cannot be cancelled has just begun.
        if not taken.wait(self._wait_seconds) and future.cancel():
            raise self._nobody_gave_way()
        return over.set

    async def take_in_loop(self) -> Callable[[], None]:
        """The same, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[None] = loop.create_future()
        over = Event()

        def stand_still() -> None:
            try:
                loop.call_soon_threadsafe(_told, taken)
            except RuntimeError:  # the loop was closed meanwhile: nobody wants the turn
                return
            over.wait()

        future = self._submit(stand_still)
        try:
            async with asyncio.timeout(self._wait_seconds):
                await taken
        except TimeoutError:
            if future.cancel():
                raise self._nobody_gave_way() from None
        except BaseException:
            future.cancel()
            over.set()
            raise
        return over.set

    def _nobody_gave_way(self) -> Unavailable:
        return unavailable(no_turn(self._wait_seconds), self._label)


def _told(taken: asyncio.Future[None]) -> None:
    if not taken.done():
        taken.set_result(None)
