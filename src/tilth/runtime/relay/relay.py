"""Delivers events to the subscribers of one application, at least once, while it is serving."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from tilth.errors import TilthError
from tilth.kernel.store.deliveries import waiting_subscribers
from tilth.kernel.store.outbox import Outbox
from tilth.kernel.store.unit import Units
from tilth.runtime.relay.call import Call
from tilth.runtime.relay.line import Line
from tilth.runtime.relay.subscribers import Subscriber, names_by_type
from tilth.settings import RelaySettings

DRAIN_SECONDS = 3.0
"""What calls in flight get when the application stops; what is cut off is delivered again."""

logger = logging.getLogger("tilth.relay")


class Relay:
    """Owns a task per subscriber, and one that looks for what other processes have written."""

    def __init__(
        self,
        subscribers: Sequence[Subscriber],
        units: Units,
        now: Callable[[], datetime],
        settings: RelaySettings,
    ) -> None:
        self.outbox = Outbox(names_by_type(subscribers), self.wake)
        self._subscribers, self._units = subscribers, units
        self._now, self._settings = now, settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: dict[str, Line] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """In the event loop of the application."""
        if not self._subscribers:
            return
        self._loop = asyncio.get_running_loop()
        self._lines = {each.name: self._line(each) for each in self._subscribers}
        runs = [*(line.run() for line in self._lines.values()), self._poll()]
        self._tasks = [self._loop.create_task(run) for run in runs]
        for task in self._tasks:
            task.add_done_callback(_tell_of_death)

    async def stop(self) -> None:
        """Calls in flight get a moment; then they are cut off, and delivered again later."""
        self._loop = None
        if not self._tasks:
            return
        *running, polling = self._tasks
        polling.cancel()
        for line in self._lines.values():
            line.stop()
        _, late = await asyncio.wait(running, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._lines.values():
            line.close()
        self._tasks, self._lines = [], {}

    def wake(self, names: frozenset[str]) -> None:
        """From any thread. Before start, and after stop, whoever starts next will look."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake, names)

    def _wake(self, names: frozenset[str]) -> None:
        for name in names & self._lines.keys():
            self._lines[name].woken.set()

    def _line(self, subscriber: Subscriber) -> Line:
        call = Call(subscriber.react, self._settings.call_seconds)
        return Line(subscriber.name, call, self._units, self._now, self._settings)

    async def _poll(self) -> None:
        """At once too: an earlier process may have left something."""
        names = list(self._lines)
        while True:
            try:
                look = partial(waiting_subscribers, names=names, now=self._now())
                self._wake(frozenset(await self._units.run(look)))
            except (TilthError, SQLAlchemyError) as exc:
                logger.warning("Events cannot be looked for: %s", exc)
            await asyncio.sleep(self._settings.poll_seconds)


def _tell_of_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (mistake := task.exception()) is not None:
        logger.error("The relay has a bug, and this part of it has ended", exc_info=mistake)
