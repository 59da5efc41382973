"""What was verified a moment ago and need not be again, in this process and for a bounded time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class Believed(Generic[Kept]):
    """At most so many values, the one not asked for longest makes room; each for one lifetime."""

    def __init__(self, lifetime: timedelta, most: int = 10_000) -> None:
        self._lifetime, self._most = lifetime, most
        self._known: OrderedDict[Hashable, tuple[datetime, Kept]] = OrderedDict()

    def get(self, key: Hashable, now: datetime) -> Kept | None:
        found = self._known.get(key)
        if found is None:
            return None
        until, value = found
        if now >= until:
            del self._known[key]
            return None
        self._known.move_to_end(key)
        return value

    def keep(self, key: Hashable, value: Kept, now: datetime) -> None:
        if self._lifetime <= timedelta(0):
            return
        self._known[key] = (now + self._lifetime, value)
        self._known.move_to_end(key)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """Everything: it is made again as it is asked for."""
        self._known.clear()
