"""Who asks, and the open unit of work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.kernel.events.event import Event
from tilth.kernel.plan.sight import Sight
from tilth.kernel.store.outbox import Outbox
from tilth.kernel.store.record import Records


@dataclass(slots=True)
class Scope:
    """One attempt at one unit. events: what has happened in it so far, in order."""

    session: Session
    sight: Sight
    records: Records
    outbox: Outbox
    now: Callable[[], datetime]
    new_id: Callable[[], UUID]
    request_id: str | None = None
    events: list[Event] = field(default_factory=list)
