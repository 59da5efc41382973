"""A unit of work: one function, one transaction, one thread, and the only commit there is."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from threading import Event, Lock, local
from time import monotonic
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from tilth.errors import TilthError
from tilth.kernel.store.drivers.failure import Failure, no_connection_free, unavailable
from tilth.kernel.store.sessions.watch import BATCH
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


TOGETHER = 32
"""Units that share one commit at most."""

TOGETHER_SECONDS = 0.02
"""After so long nobody else is let in: those who are done wait for the commit."""

AFTERWARDS = "tilth_afterwards"
"""Where a session that shares its commit keeps what is to be called after it."""


class GivenUp(TilthError):
    """Whoever asked has gone; the unit is rolled back and nobody is told."""


class Undone(TilthError):
    """A transaction that was shared is rolled back as a whole; each unit is run again, alone."""


@dataclass(slots=True)
class Unit(Generic[Result]):
    """One unit on its way. keep: commit it; otherwise it is a rehearsal and is rolled back.

    context: of who asked, so that their context variables are there in the thread of the unit.
    """

    work: Work[Result]
    keep: bool
    context: Context = field(default_factory=copy_context)
    is_late: bool = False
    is_given_up: bool = False
    is_committing: bool = False

    def done(self, session: Session) -> Result:
        return self.context.run(self._done, session)

    def _done(self, session: Session) -> Result:
        result = self.work(session)
        session.flush()
        return result


@dataclass(slots=True, eq=False)
class Turn(Generic[Result]):
    """One unit that waits for its turn, or has had it. failure: what it raised."""

    unit: Unit[Result]
    told: Future[Result]
    result: Any = None
    failure: BaseException | None = None

    def tell(self) -> None:
        if self.failure is not None:
            self.told.set_exception(self.failure)
        else:
            self.told.set_result(self.result)


class Units:
    """Runs units of work on one database.

    SQLite has one writer, so there is one thread; PostgreSQL has as many as the pool has
    connections. A unit runs whole in its thread: no hop per statement, no connection held while
    a client is slow.

    On SQLite those who wait share the next commit, each in a savepoint of its own: one that fails
    takes none along, and nobody is told anything before the commit.
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
        is_open: Callable[[Connection], bool] | None = None,
    ) -> None:
        """engine: made with the first unit. explain: an error of the driver → what to tell, or None.

        is_conflict: another transaction came first, so the whole unit deserves another try.
        is_open: whether a transaction is still there after a statement failed in it. Commits are
        shared where that is known.
        """
        self._make, self._explain, self._is_conflict = engine, explain, is_conflict
        self._settings, self._threads, self._label = settings, threads, label
        self._is_open = is_open
        self._waiting: deque[Turn[Any]] = deque()
        self._engine: Engine | None = None
        self._sessions: sessionmaker[Session] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._starting = Lock()
        self._pause = Event()
        # `unit`: what this thread is running.
        self._thread = local()
        # A sandbox: units are run there while it is set.
        self.elsewhere: Units | None = None

    async def run(self, work: Work[Result], *, keep: bool = True) -> Result:
        """What work answers, after the commit. It may be called again when another came first.

        Raises what work raises, after rolling back, and Unavailable. When the caller is cancelled
        before the commit has begun, nothing is kept, and no further statement is run.
        """
        if self.elsewhere is not None:
            return await self.elsewhere.run(work, keep=keep)
        unit = Unit(work, keep)
        future = self._submitted(unit)

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
        await asyncio.to_thread(self.dismiss)

    def dismiss(self) -> None:
        """Waits for the units that are under way."""
        with self._starting:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()
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

    def _submitted(self, unit: Unit[Result]) -> Future[Result]:
        if self._is_open is None or not unit.keep:
            return self._threads_running().submit(self._tried, unit)
        turn = Turn(unit, Future())
        self._waiting.append(turn)
        self._threads_running().submit(self._serve_who_waits)
        return turn.told

    def _serve_who_waits(self) -> None:
        """Called once for every turn; the first who is called serves those behind it, too."""
        first = self._next_turn()
        if first is None:
            return
        second = self._next_turn()
        if second is None:
            self._alone(first)
        else:
            self._together(first, second)

    def _next_turn(self) -> Turn[Any] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if turn.told.set_running_or_notify_cancel():
                return turn
        return None

    def _alone(self, turn: Turn[Any]) -> None:
        try:
            turn.result, turn.failure = self._tried(turn.unit), None
        except BaseException as exc:
            # It belongs to the caller, who waits in another thread; this one serves on.
            turn.failure = exc
        turn.tell()

    def _together(self, *first: Turn[Any]) -> None:
        turns: list[Turn[Any]] = []
        afterwards: list[Callable[[], None]] = []
        try:
            with self._begun() as connection:
                for turn in self._let_in(first):
                    turns.append(turn)
                    self._in_a_savepoint(connection, turn, afterwards)
                for turn in turns:
                    if turn.unit.is_given_up and turn.failure is None:
                        raise Undone
                    turn.unit.is_committing = True
        except Exception:
            # Whatever it was, whose it was shows when each is alone.
            for turn in (*turns, *(each for each in first if each not in turns)):
                self._alone(turn)
            return
        for call in afterwards:
            call()
        for turn in turns:
            if isinstance(turn.failure, DBAPIError):
                self._alone(turn)  # it may deserve another try, or an explanation
            else:
                turn.tell()

    def _begun(self) -> AbstractContextManager[Connection]:
        self._opened()
        assert self._engine is not None
        return self._engine.begin()

    def _let_in(self, first: Iterable[Turn[Any]]) -> Iterator[Turn[Any]]:
        """Those who have waited, and whoever comes meanwhile."""
        yield from first
        closes = monotonic() + TOGETHER_SECONDS
        for _ in range(TOGETHER - 2):
            turn = self._next_turn() if monotonic() < closes else None
            if turn is None:
                return
            yield turn

    def _in_a_savepoint(
        self, connection: Connection, turn: Turn[Any], afterwards: list[Callable[[], None]]
    ) -> None:
        """Raises Undone when the failure has taken the whole transaction along."""
        assert self._is_open is not None
        own: list[Callable[[], None]] = []
        self._thread.unit = turn.unit
        session = self._opened()(bind=connection, join_transaction_mode="create_savepoint")
        session.info[AFTERWARDS] = own
        try:
            with session, session.begin():
                turn.result = turn.unit.done(session)
                if turn.unit.is_given_up:
                    raise GivenUp
        except BaseException as exc:
            # It belongs to the caller, who is told after the commit.
            turn.failure = exc
            if not self._is_open(connection):
                raise Undone from exc
        else:
            afterwards += own
        finally:
            self._thread.unit = None

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
        self._thread.unit = unit
        try:
            with self._session() as session, session.begin() as transaction:
                result = unit.done(session)
                if unit.is_given_up:
                    raise GivenUp
                if not unit.keep:
                    transaction.rollback()
                unit.is_committing = unit.keep
            return result
        finally:
            self._thread.unit = None

    def _stop_what_is_given_up(self, *_: object) -> None:
        """Before each statement. Only once, so that what was done can be taken back."""
        unit: Unit[Any] | None = getattr(self._thread, "unit", None)
        if unit is not None and unit.is_given_up and not unit.is_committing:
            self._thread.unit = None
            raise GivenUp

    def _deserves_another_try(self, unit: Unit[Result], exc: DBAPIError) -> bool:
        """A connection that died before the commit took its transaction along; after, who knows."""
        died = exc.connection_invalidated and not unit.is_committing
        return died or (exc.orig is not None and self._is_conflict(exc.orig))

    def _session(self) -> Session:
        return self._opened()()

    def _opened(self) -> sessionmaker[Session]:
        with self._starting:
            if self._sessions is None:
                self._engine = self._make()
                # What a unit asks again, after a change, it asks on purpose.
                self._engine.update_execution_options(**{BATCH: True})
                event.listen(self._engine, "before_cursor_execute", self._stop_what_is_given_up)
                self._sessions = validating_sessions(self._engine)
            return self._sessions

    def _explained(self, unit: Unit[Result], exc: DBAPIError) -> BaseException:
        if exc.connection_invalidated and unit.is_committing:
            return unavailable(OUTCOME_UNKNOWN, self._label)
        return self._explain(exc) or exc
