"""Whose turn it is to write, where a database has one writer at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Event
from typing import Any

from sqlalchemy import Connection, Engine, event

from tilth.errors import QueryError, Unavailable
from tilth.kernel.store.drivers.failure import no_turn, unavailable


@dataclass(frozen=True, slots=True)
class Turn:
    """task: whose it is; None in a thread without a loop. over: set when it is given back."""

    turns: Turns
    task: asyncio.Task[object] | None
    over: Event


# A thread that is lent to endpoints runs each in a context of its own, so an earlier one's turn is
# not taken for that of the present one.
_LAST: ContextVar[Turn | None] = ContextVar("tilth_turn", default=None)


_KEPT = "tilth_turn"


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
        """Blocks the thread; answers what gives the turn back. Raises Unavailable, QueryError."""
        self._check_not_nested()
        taken, over = Event(), Event()

        def stand_still() -> None:
            taken.set()
            over.wait()

        future = self._submit(stand_still)
        # One that cannot be cancelled has just begun.
        if not taken.wait(self._wait_seconds) and future.cancel():
            raise self._nobody_gave_way()
        return self._begun(over)

    async def take_in_loop(self) -> Callable[[], None]:
        """The same, without blocking the event loop."""
        self._check_not_nested()
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
        return self._begun(over)

    def _begun(self, over: Event) -> Callable[[], None]:
        _LAST.set(Turn(self, _current_task(), over))
        return over.set

    def _check_not_nested(self) -> None:
        """Who has the turn would wait for itself until its patience ends."""
        last = _LAST.get()
        if last is None or last.turns is not self or last.over.is_set():
            return
        if last.task is _current_task():
            raise QueryError(
                "Another scope of the same code is open and has begun to write. There is one writer "
                "on SQLite, and in a sandbox, so this one would wait for it forever: use the scope "
                "that is open, or end it first. On SQLite a scope that only reads (writes=False) "
                "can be open beside it."
            )

    def _nobody_gave_way(self) -> Unavailable:
        return unavailable(no_turn(self._wait_seconds), self._label)


def keep_turn(connection: Connection, give_back: Callable[[], None]) -> None:
    """With the connection that writes."""
    connection.info[_KEPT] = give_back


def give_turns_back(engine: Engine) -> Engine:
    """With the connection, however its transaction ended."""

    @event.listens_for(engine, "checkin")
    def checkin(connection: object, record: Any) -> None:
        give_back = record.info.pop(_KEPT, None)
        if give_back is not None:
            give_back()

    return engine


def _current_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _told(taken: asyncio.Future[None]) -> None:
    if not taken.done():
        taken.set_result(None)
