"""The values of a plan while it is being made."""

from collections.abc import Iterable
from typing import Any


class Draft:
    """Collects values and hands out their slots."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._values: list[Any] = list(values)

    def slot(self, value: Any) -> int:
        self._values.append(value)
        return len(self._values) - 1

    def slots(self, values: Iterable[Any]) -> tuple[int, ...]:
        return tuple(map(self.slot, values))

    @property
    def values(self) -> tuple[Any, ...]:
        return tuple(self._values)
