"""A unit of work: one function, one transaction, one thread, and the only commit there is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Lock
from typing import Generic, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tilth.errors import TilthError
from tilth.kernel.store.drivers.failure import Failure, no_connection_free, unavailable
from tilth.kernel.store.validation import validating_sessions
from tilth.settings import StoreSettings

Result = TypeVar("Result")
Work = Callable[[Session], Result]

ATTEMPTS = 6
"""Of one unit, when another transaction came first; the last failure is told."""

FIRST_PAUSE_SECONDS = 0.01


OUTCOME_UNKNOWN = Failure(
    "database_unavailable",
    "The connection was lost while the change was being committed: it may or may not be kept.",
    "Read the row again, or repeat the request with the Idempotency-Key it was made with.",
)


class GivenUp(TilthError):
    """Whoever asked has gone; the unit is rolled back and nobody is told."""


@dataclass(slots=True)
class Unit(Generic[Result]):
    """One unit on its way. keep: commit it; otherwise it is a rehearsal and is rolled back."""

    work: Work[Result]
    keep: bool
    is_late: bool = False
    is_given_up: bool = False
    is_committing: bool = False


class Units:
    """Runs units of work on one database.

    SQLite has one writer, so there is one thread; PostgreSQL has as many as the pool has
    connections. A unit runs whole in its thread: no hop per statement, no connection held while
    a client is slow.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        explain: Callable[[BaseException], TilthError | None],
        is_conflict: Callable[[BaseException], bool],
        settings: StoreSettings,
        *,
        threads: int,
        label: str,
    ) -> None:
        """engine: made with the first unit. explain: an error of the driver → what to tell, or None.

        is_conflict: another transaction came first, so the whole unit deserves another try.
        """
        self._make, self._explain, self._is_conflict = engine, explain, is_conflict
        self._settings, self._threads, self._label = settings, threads, label
        self._engine: Engine | None = None
        self._sessions: Callable[[], Session] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._starting = Lock()
        self._pause = Event()

    async def run(self, work: Work[Result], *, keep: bool = True) -> Result:
        """What work answers, after the commit. It may be called again when another came first.

        Raises what work raises, after rolling back, and Unavailable. When the caller is cancelled
        before the commit has begun, nothing is kept.
        """
        unit = Unit(work, keep)
        future = self._threads_running().submit(self._tried, unit)

        def lose_patience() -> None:
            unit.is_late = future.cancel()

        loop = asyncio.get_running_loop()
        patience = loop.call_later(self._settings.pool_wait_seconds, lose_patience)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if unit.is_late:
                busy = no_connection_free(self._settings.pool_wait_seconds)
                raise unavailable(busy, self._label) from None
            unit.is_given_up = True
            raise
        finally:
            patience.cancel()

    def submit(self, call: Callable[[], object]) -> Future[object]:
        """Has a function called by a thread of the units, in its turn."""
        return self._threads_running().submit(call)

    async def close(self) -> None:
        with self._starting:
            pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)
        # Only now: a unit that is about to begin would make another engine, which nobody closes.
        with self._starting:
            engine, self._engine, self._sessions = self._engine, None, None
        if engine is not None:
            engine.dispose()

    def _threads_running(self) -> ThreadPoolExecutor:
        with self._starting:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="tilth-unit")
            return self._pool

    def _tried(self, unit: Unit[Result]) -> Result:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._once(unit)
            except DBAPIError as exc:
                if attempt == ATTEMPTS or not self._deserves_another_try(unit, exc):
                    raise self._explained(unit, exc) from exc
            # Jitter, so that those who collided do not meet again.
            self._pause.wait(FIRST_PAUSE_SECONDS * 2**attempt * random.random())
        raise AssertionError("the last attempt returns or raises")

    def _once(self, unit: Unit[Result]) -> Result:
        unit.is_committing = False
        with self._session() as session, session.begin() as transaction:
            result = unit.work(session)
            session.flush()
            if unit.is_given_up:
                raise GivenUp
            if not unit.keep:
                transaction.rollback()
            unit.is_committing = unit.keep
        return result

    def _deserves_another_try(self, unit: Unit[Result], exc: DBAPIError) -> bool:
        """A connection that died before the commit took its transaction along; after, who knows."""
        died = exc.connection_invalidated and not unit.is_committing
        return died or (exc.orig is not None and self._is_conflict(exc.orig))

    def _session(self) -> Session:
        with self._starting:
            if self._sessions is None:
                self._engine = self._make()
                self._sessions = validating_sessions(self._engine)
            return self._sessions()

    def _explained(self, unit: Unit[Result], exc: DBAPIError) -> BaseException:
        if exc.connection_invalidated and unit.is_committing:
            return unavailable(OUTCOME_UNKNOWN, self._label)
        return self._explain(exc) or exc
