"""What came back from the store."""

from dataclasses import dataclass
from typing import Any

from tilth.kernel.plan.shape import Granted

NOTHING: Granted = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one read, each a JSON-ready mapping in answer order.

    keys: of the first row and of the last, the stored values of the sort keys, as a cursor
        carries them; empty without rows, or where they have no identity.
    more: rows follow in the direction of reading. total: rows in all, when asked for.
    found: the parent row of a sub-collection exists and may be read. of_owner: what the actor may
        do to that row, as far as it was asked.
    """

    rows: list[dict[str, Any]]
    keys: list[tuple[Any, ...]]
    more: bool
    total: int | None = None
    found: bool = True
    of_owner: Granted = NOTHING
