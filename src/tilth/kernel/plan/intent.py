"""What was asked: names and texts as the client sent them, nothing looked up yet."""

from dataclasses import dataclass
from typing import Literal

Counting = Literal["none", "exact", "estimated"]


@dataclass(frozen=True, slots=True)
class Intent:
    """One read.

    resource: name in the URL. key: parts of a row's address; None for a collection.
    relation: the sub-collection of that row, as in `/api/teams/1/heroes`.
    lookups: (`age__gte`, `18`) pairs in the order sent. limit: None means the default, 0 no limit (export).
    """

    resource: str
    key: tuple[str, ...] | None = None
    relation: str | None = None
    lookups: tuple[tuple[str, str], ...] = ()
    filter: str | None = None
    q: str | None = None
    sort: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    expand: tuple[str, ...] = ()
    limit: int | None = None
    offset: int | None = None
    cursor: str | None = None
    count: Counting = "none"
