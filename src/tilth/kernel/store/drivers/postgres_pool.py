"""Connections of one event loop, kept between reads.

asyncpg's own pool makes a task for every release, and by default a second round trip to reset the
session. Reads leave nothing to reset; a short one took 0.16 ms this way, 0.35 to 0.6 ms that way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import asyncpg  # type: ignore[import-untyped]

DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""Everything asyncpg raises; a timeout is an OSError."""

IDLE_SECONDS = 300.0
"""Longer than this and a firewall on the way may have forgotten the connection."""
FAREWELL_SECONDS = 3.0


class Connection(Protocol):
    """The part of asyncpg.Connection that reading needs."""

    async def fetch(self, query: str, /, *args: object) -> Sequence[Sequence[Any]]: ...

    async def execute(self, query: str, /) -> str: ...

    async def set_type_codec(
        self,
        typename: str,
        *,
        schema: str,
        encoder: Callable[[Any], str],
        decoder: Callable[[str], Any],
    ) -> None: ...

    async def close(self, *, timeout: float | None = None) -> None: ...

    def terminate(self) -> None: ...

    def is_closed(self) -> bool: ...


class NoneFree(Exception):
    """All connections stayed in use for as long as a read may wait."""


class Pool:
    """size: connections at most. A wait for one is bounded apart from the time to connect."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], *, size: int, wait_seconds: float
    ) -> None:
        self._connect, self._wait_seconds = connect, wait_seconds
        self._turns = asyncio.Semaphore(size)
        self._idle: list[tuple[Connection, float]] = []
        self._is_closed = False
        self._farewells: set[asyncio.Task[None]] = set()
        self._clock = asyncio.get_running_loop().time

    async def take(self) -> Connection:
        """Every connection taken goes back through give_back or drop. Raises NoneFree."""
        await self._wait_for_turn()
        try:
            return self._kept() or await self._connect()
        except BaseException:
            self._turns.release()
            raise

    def give_back(self, connection: Connection) -> None:
        if self._is_closed:
            self.drop(connection)
            return
        self._idle.append((connection, self._clock()))
        self._turns.release()

    def drop(self, connection: Connection) -> None:
        """A connection whose state is unknown: a statement may still have to be cancelled."""
        farewell = asyncio.get_running_loop().create_task(self._close(connection))
        self._farewells.add(farewell)
        farewell.add_done_callback(self._farewells.discard)

    def forget_idle(self) -> None:
        """One connection died, so the others may have died with it."""
        while self._idle:
            self._idle.pop()[0].terminate()

    async def close(self) -> None:
        """Connections in use are closed when the reads that hold them give them back."""
        self._is_closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(self._say_farewell(connection) for connection, _ in idle))
        await asyncio.gather(*self._farewells)

    async def _wait_for_turn(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._turns.acquire()
        except TimeoutError as exc:
            raise NoneFree from exc

    def _kept(self) -> Connection | None:
        """The one used last, so that those a quiet time does not need grow old and go."""
        oldest = self._clock() - IDLE_SECONDS
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.is_closed() and since >= oldest:
                return connection
            connection.terminate()
        return None

    async def _close(self, connection: Connection) -> None:
        try:
            await self._say_farewell(connection)
        finally:
            self._turns.release()

    async def _say_farewell(self, connection: Connection) -> None:
        try:
            await connection.close(timeout=FAREWELL_SECONDS)
        except DRIVER_ERRORS:
            connection.terminate()
