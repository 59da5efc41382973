"""What was asked: names and values as the client sent them, nothing looked up yet."""

from dataclasses import dataclass
from typing import Any, Literal

from tilth.kernel.plan.size import Size

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


WriteAction = Literal["create", "replace", "update", "delete", "link", "unlink"]


@dataclass(frozen=True, slots=True)
class WriteIntent:
    """One change.

    key: parts of the address of the row to change, or of the owner when relation is given.
    relation: the sub-collection created in, or the many-to-many relation; other: the key of the row
    to link. body: parsed JSON, with numbers that have a point as Decimal.
    if_match: entity tags of which one must be current, "*" for any; None when there is no condition.
    if_none_match: entity tags of which none may be current, "*" for any.
    pointer: where in the request the body is, such as "/3" of a list.
    size: of the whole request that this belongs to; None where nobody counts.
    merges: objects of JSON are merged into what the fields hold, and do not replace it (RFC 7396).
    """

    action: WriteAction
    resource: str
    key: tuple[str, ...] | None = None
    relation: str | None = None
    other: tuple[str, ...] | None = None
    body: Any = None
    if_match: tuple[str, ...] | None = None
    if_none_match: tuple[str, ...] | None = None
    pointer: str = ""
    size: Size | None = None
    merges: bool = False
