"""One session for one piece of the developer's code, committed once, at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from tilth.errors import QueryError, TilthError
from tilth.kernel.store.outbox import write_events
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.sessions.engines import Engines
from tilth.kernel.store.sessions.loads import watch_loads
from tilth.kernel.store.validation import validate_flushes

Explain = Callable[[BaseException], TilthError | None]
WRITES = "tilth_writes"
"""In a session's info: whether it may."""

Begin = Callable[[Session], Scope]


class Sessions:
    """Opens sessions on one database. Nothing is connected to until one is used."""

    def __init__(self, engines: Engines, explain: Explain, *, read_only: bool = False) -> None:
        """explain: an error of the driver → what to tell, or None. read_only: nobody writes."""
        self._engines, self._explain, self.read_only = engines, explain, read_only
        self._make = sessionmaker(expire_on_commit=False)
        validate_flushes(self._make)
        event.listen(self._make, "before_flush", _refuse_where_reading)
        watch_loads(self._make)

    @contextmanager
    def plain(self, begin: Begin, *, writes: bool) -> Iterator[Scope]:
        """For code without await. Raises what the code raises, and Unavailable."""
        engine = self._engines.engine(writes=writes and not self.read_only)
        with self._told(), self._make(bind=engine, info={WRITES: writes}) as session:
            scope = begin(session)
            yield scope
            _finish(scope)
            session.commit()

    @asynccontextmanager
    async def in_loop(
        self, begin: Begin, *, writes: bool
    ) -> AsyncIterator[tuple[Scope, AsyncSession]]:
        """For code with await."""
        engine = self._engines.engine_in_loop(writes=writes and not self.read_only)
        with self._told():
            async with self._make_in_loop(engine) as session:
                session.info[WRITES] = writes
                scope = begin(session.sync_session)
                yield scope, session
                await session.run_sync(lambda _: _finish(scope))
                await session.commit()

    def _make_in_loop(self, engine: AsyncEngine) -> AsyncSession:
        return AsyncSession(engine, sync_session_class=self._make.class_, expire_on_commit=False)

    async def close(self) -> None:
        await self._engines.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the driver says, as the client of a request may read it."""
        try:
            yield
        except (DBAPIError, PoolTimeout) as exc:
            explained = self._explain(exc)
            if explained is None:
                raise
            raise explained from exc


def _refuse_where_reading(session: Session, context: object, instances: object) -> None:
    check_writes(session)


def check_writes(session: Session) -> None:
    """Raises QueryError in a scope that only reads."""
    if not session.info[WRITES]:
        raise QueryError(
            "This scope only reads: that of a GET request does, and one opened with writes=False. "
            "Change things in a POST, PUT, PATCH or DELETE, or in a scope of app.scope(actor)."
        )


def _finish(scope: Scope) -> None:
    scope.session.flush()
    write_events(scope.session, scope.outbox, scope.events)
