"""What every part of one document needs."""

from __future__ import annotations

from dataclasses import dataclass

from tilth.kernel.plan.sight import Sight


@dataclass(frozen=True, slots=True)
class Drawing:
    """base: where the API is: "/api" behind any root path.

    forms: say what the caller may do. writable: the database is ours to change.
    """

    sight: Sight
    base: str
    forms: bool
    writable: bool

    @property
    def grants(self) -> bool:
        """Whether what may be done to a row has to be known."""
        return self.forms and self.writable
