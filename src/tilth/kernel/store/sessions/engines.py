"""The four engines behind sessions, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

Made = TypeVar("Made", Engine, AsyncEngine)


@dataclass(slots=True)
class Engines:
    """reading, reading_in_loop: their transactions cannot write."""

    reading: Callable[[], Engine]
    reading_in_loop: Callable[[], AsyncEngine]
    writing: Callable[[], Engine]
    writing_in_loop: Callable[[], AsyncEngine]
    _plain: dict[bool, Engine] = field(default_factory=dict)
    _in_loop: dict[bool, AsyncEngine] = field(default_factory=dict)
    _making: Lock = field(default_factory=Lock)

    def engine(self, *, writes: bool) -> Engine:
        return self._once(self._plain, writes, self.writing if writes else self.reading)

    def engine_in_loop(self, *, writes: bool) -> AsyncEngine:
        """Of one event loop: that of the application."""
        make = self.writing_in_loop if writes else self.reading_in_loop
        return self._once(self._in_loop, writes, make)

    def _once(self, made: dict[bool, Made], writes: bool, make: Callable[[], Made]) -> Made:
        with self._making:
            if writes not in made:
                made[writes] = make()
            return made[writes]

    async def close(self) -> None:
        for engine in self._plain.values():
            engine.dispose()
        for in_loop in self._in_loop.values():
            await in_loop.dispose()
        self._plain.clear()
        self._in_loop.clear()
