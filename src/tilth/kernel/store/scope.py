"""Who asks, and the open unit of work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.kernel.events.event import Event
from tilth.kernel.plan.change import WritePlan
from tilth.kernel.plan.sight import Sight
from tilth.kernel.store.outbox import Outbox
from tilth.kernel.store.record import Records


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a row that the actor may read, and the row as they may read it, if it is left."""

    event: Event
    shown: Mapping[str, Any] | None


@dataclass(slots=True)
class Scope:
    """One attempt at one unit. events: what has happened in it so far, in order.

    seen: those of them that the actor may know of.
    written: what has been planned, by its place in the request; some of it perhaps was taken back
    by a savepoint. place: of what is being done now.
    reason: why no policy is asked at the moment; None when they are.
    """

    session: Session
    sight: Sight
    records: Records
    outbox: Outbox
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    request_id: str | None = None
    events: list[Event] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    written: list[tuple[str, WritePlan]] = field(default_factory=list)
    place: str = ""
    reason: str | None = None

    def remember(self, *plans: WritePlan) -> None:
        self.written += [(self.place + plan.pointer, plan) for plan in plans]

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Inside, pointers of plans are below this place in the request."""
        outside, self.place = self.place, place
        try:
            yield
        finally:
            self.place = outside

    @contextmanager
    def unrestricted(self, reason: str) -> Iterator[None]:
        """Plans made with the sight of the scope inside are refused by no policy.

        Functions before a change are asked as ever. Every event inside carries the reason.
        """
        if not reason.strip():
            raise ValueError(
                "Say why no policy is to be asked; the reason is kept with each event."
            )
        outside = self.sight, self.reason
        self.sight = replace(self.sight, rulebook=self.sight.rulebook.unrestricted())
        self.reason = reason
        try:
            yield
        finally:
            self.sight, self.reason = outside
