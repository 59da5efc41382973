"""One change, told to whoever wants to know."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from tilth.kernel.schema.naming import hyphenated
from tilth.kernel.schema.resource import Resource

VERSION = 1
"""Of the shape below; a consumer compares it before it reads on."""

Verb = Literal["created", "updated", "deleted", "linked", "unlinked"]


@dataclass(frozen=True, slots=True)
class Event:
    """Written in the transaction of the change it tells of, so there is never one without the other.

    type: "hero.created", the class name hyphenated. subject: resource and key, as in the row's
        address: ("heroes", ("7",)).
    before, after: JSON values of every field that the policy does not hide from everyone, None
        where there is no row; not masked for anyone, so whoever passes them on masks them.
        For a link: the key of the other row, by the name of the relation.
    actor: the id of who did it, None for nobody in particular. at: UTC.
    reason: why no policy was asked; None when they were.
    """

    id: UUID
    type: str
    resource: str
    key: tuple[str, ...]
    actor: str | None
    at: datetime
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    request_id: str | None = None
    version: int = VERSION
    reason: str | None = None


def event_type(resource: Resource, verb: Verb) -> str:
    """ "hero.created", "invoice-line.deleted"."""
    return f"{hyphenated(resource.title)}.{verb}"
