"""One session for one piece of the developer's code, committed once, at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Lock
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import Session, sessionmaker

from tilth.errors import QueryError, TilthError
from tilth.kernel.store.scope import Scope
from tilth.kernel.store.sessions.engines import Engines
from tilth.kernel.store.sessions.flushes import WORK, keep_events, own_work
from tilth.kernel.store.sessions.loads import ENDPOINT, give_up_restricted, seal, watch_loads
from tilth.kernel.store.sessions.refusals import fields_told
from tilth.kernel.store.validation import validate_flushes

Explain = Callable[[BaseException], TilthError | None]
WRITES = "tilth_writes"
"""In a session's info: whether it may."""

Begin = Callable[[Session], Scope]


class UnitSession(Session):
    """An ordinary session, which counts how often objects that were read before lost their worth.

    Inherited, since SQLAlchemy has no event for some of it.
    """

    generation = 0

    def count_up(self) -> None:
        self.generation += 1

    def made_worthless(self, transaction: object = None) -> None:
        self.count_up()
        for each in self.identity_map.values():
            seal(each)

    def expire(self, instance: object, attribute_names: Iterable[str] | None = None) -> None:
        super().expire(instance, attribute_names)
        self.count_up()
        seal(instance)

    def expire_all(self) -> None:
        super().expire_all()
        self.made_worthless()

    def refresh(
        self,
        instance: object,
        attribute_names: Iterable[str] | None = None,
        with_for_update: Any = None,
    ) -> None:
        super().refresh(instance, attribute_names, with_for_update)
        if attribute_names is None:
            seal(instance)

    def close(self) -> None:
        super().close()
        self.count_up()

    def flush(self, objects: Any = None) -> None:
        with own_work(self):
            super().flush(objects)

    def delete(self, instance: object) -> None:
        """With everything the mapping deletes along, whatever part of it the actor may see."""
        with own_work(self):
            give_up_restricted(instance)
            super().delete(instance)


class Sessions:
    """Opens sessions on one database. Nothing is connected to until one is used."""

    def __init__(self, engines: Engines, explain: Explain, *, read_only: bool = False) -> None:
        """explain: an error of the driver → what to tell, or None. read_only: nobody writes."""
        self.engines, self._explain, self.read_only = engines, explain, read_only
        # While the application is served. Connections of a script are closed with its last scope:
        # nobody else would.
        self.is_kept = False
        self._open, self._counting = 0, Lock()
        self._make = sessionmaker(class_=UnitSession, expire_on_commit=False)
        validate_flushes(self._make)
        event.listen(self._make, "before_flush", _refuse_where_reading)
        event.listen(self._make, "after_soft_rollback", UnitSession.made_worthless)
        keep_events(self._make)
        watch_loads(self._make)

    @contextmanager
    def plain(
        self, begin: Begin, *, writes: bool, endpoint: str | None = None
    ) -> Iterator[tuple[Scope, UnitSession]]:
        """For code without await. Raises what the code raises, and Unavailable."""
        writes = writes and not self.read_only
        info = {WRITES: writes, ENDPOINT: endpoint}
        with self._counted(), self._told():
            engine = self.engines.engine(writes=writes)
            with self._make(bind=engine, info=info) as session:
                scope = session.info[WORK] = begin(session)
                with fields_told(scope):
                    yield scope, session
                    session.commit()

    @asynccontextmanager
    async def in_loop(
        self, begin: Begin, *, writes: bool, endpoint: str | None = None
    ) -> AsyncIterator[tuple[Scope, AsyncSession, UnitSession]]:
        """For code with await."""
        writes = writes and not self.read_only
        async with self._counted_in_loop():
            engine = self.engines.engine_in_loop(writes=writes)
            info = {WRITES: writes, ENDPOINT: endpoint}
            async with self._make_in_loop(engine, info) as session:
                inner = cast(UnitSession, session.sync_session)
                scope = session.info[WORK] = begin(inner)
                with fields_told(scope):
                    yield scope, session, inner
                    await session.commit()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            if self._count(-1):
                self.engines.dispose_plain()

    @asynccontextmanager
    async def _counted_in_loop(self) -> AsyncIterator[None]:
        self._count(1)
        try:
            with self._told():
                yield
        finally:
            if self._count(-1):
                await self.engines.close_in_loop()

    def _count(self, step: int) -> bool:
        """Whether the last scope of a script is over."""
        with self._counting:
            self._open += step
            return self._open == 0 and not self.is_kept

    def _make_in_loop(self, engine: AsyncEngine, info: dict[Any, Any]) -> AsyncSession:
        """Its inner session is one of those that are listened to."""
        kind = self._make.class_
        return AsyncSession(engine, sync_session_class=kind, expire_on_commit=False, info=info)

    async def close(self) -> None:
        await self.engines.close()

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
