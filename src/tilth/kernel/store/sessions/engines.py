"""The engines behind sessions, each made when it is first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

Kind = TypeVar("Kind", Engine, AsyncEngine)


@dataclass(frozen=True, slots=True)
class Pair(Generic[Kind]):
    """reading: its transactions cannot write."""

    reading: Kind
    writing: Kind

    def one(self, *, writes: bool) -> Kind:
        return self.writing if writes else self.reading


@dataclass(slots=True)
class Engines:
    """plain, in_loop: make engines that are not connected yet.

    Connections belong to the event loop they were made in: a script may run one loop after another,
    and tests have one each.
    """

    plain: Callable[[], Pair[Engine]]
    in_loop: Callable[[], Pair[AsyncEngine]]
    _plain: Pair[Engine] | None = None
    _in_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Pair[AsyncEngine]] = field(
        default_factory=WeakKeyDictionary
    )
    _making: Lock = field(default_factory=Lock)

    def engine(self, *, writes: bool) -> Engine:
        with self._making:
            if self._plain is None:
                self._plain = self.plain()
            return self._plain.one(writes=writes)

    def engine_in_loop(self, *, writes: bool) -> AsyncEngine:
        loop = asyncio.get_running_loop()
        with self._making:
            if loop not in self._in_loop:
                self._in_loop[loop] = self.in_loop()
            return self._in_loop[loop].one(writes=writes)

    def dispose(self) -> None:
        """All of them, where closing a connection waits for nothing."""
        for pair in (self._plain, *self._in_loop.values()):
            for engine in (pair.reading, pair.writing) if pair is not None else ():
                (engine.sync_engine if isinstance(engine, AsyncEngine) else engine).dispose()
        self._plain = None
        self._in_loop.clear()

    async def close(self) -> None:
        """Those of other loops cannot be closed from here; they end with them."""
        self.dispose_plain()
        await self.close_in_loop()

    def dispose_plain(self) -> None:
        plain, self._plain = self._plain, None
        if plain is not None:
            plain.reading.dispose()
            plain.writing.dispose()

    async def close_in_loop(self) -> None:
        in_loop = self._in_loop.pop(asyncio.get_running_loop(), None)
        if in_loop is not None:
            await in_loop.reading.dispose()
            await in_loop.writing.dispose()
            # aiomysql does not wait for its sockets, which close when the loop comes to it.
            await asyncio.sleep(0)
