"""Counters that all workers share: each step is one statement, taken before what it guards is done."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from tilth.features.auth.models.tables import COUNTERS

FREE_FAILURES = 5
"""Before the first delay: people mistype."""

LONGEST_DELAY_MS = 15 * 60 * 1000
FORGET_AFTER_MS = 24 * 60 * 60 * 1000
DELAYS_MS = tuple((FREE_FAILURES + n, min(1000 * 2**n, LONGEST_DELAY_MS)) for n in range(11))
"""Failures in a row → what to wait: 1 s, 2 s, 4 s … 15 minutes. No number of them locks for good."""

FORGOTTEN_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done: so many at once, and as many again in the time given.

    name: what it is called in RateLimit headers.
    """

    name: str
    quota: int
    window_seconds: int

    @property
    def interval_ms(self) -> int:
        return max(1, self.window_seconds * 1000 // self.quota)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rate is at. remaining: 0 or more. wait_seconds: until one more may be done, 0 if now."""

    rate: Rate
    is_allowed: bool
    remaining: int
    wait_seconds: int


def counter_key(*parts: str) -> bytes:
    """Each part with its length, so that no two lists of parts are alike."""
    told = b"".join(f"{len(each.encode())}:".encode() + each.encode() for each in parts)
    return hashlib.sha256(told).digest()


def take(session: Session, key: bytes, rate: Rate, now_ms: int) -> Reading:
    """One of what the rate allows (the generic cell rate algorithm). One statement if allowed."""
    values = {"key": key, "now": now_ms, "step": rate.interval_ms}
    limit = {"limit": now_ms + rate.window_seconds * 1000}
    until: int | None = session.scalar(_TAKE[_dialect(session)], values | limit)
    if until is None:
        until = session.scalar(_UNTIL, {"which": key}) or now_ms
        wait_ms = until + rate.interval_ms - now_ms - rate.window_seconds * 1000
        return Reading(rate, False, 0, max(1, -(-wait_ms // 1000)))
    used_ms = until - now_ms
    remaining = max(0, (rate.window_seconds * 1000 - used_ms) // rate.interval_ms)
    return Reading(rate, True, remaining, 0)


def strike(session: Session, key: bytes, now_ms: int) -> int:
    """Counts a failure before it is known to be one. Answers the seconds to wait; 0 to go on.

    While there is something to wait for nothing is counted, so that a stranger who keeps trying does
    not make it longer.
    """
    values = {"key": key, "now": now_ms, "old": now_ms - FORGET_AFTER_MS}
    struck = session.scalar(_STRIKE[_dialect(session)], values)
    if struck is not None:
        return 0
    until = session.scalar(_UNTIL, {"which": key}) or now_ms
    return max(1, -(-(until - now_ms) // 1000))


def forgive(session: Session, key: bytes) -> None:
    """What was counted as a failure was none."""
    session.execute(_FORGIVE, {"which": key})


def clear(session: Session, now_ms: int) -> None:
    """Some of those that nobody has touched for a day."""
    old = (
        select(COUNTERS.c.key)
        .where(COUNTERS.c.touched < now_ms - FORGET_AFTER_MS, COUNTERS.c.until < now_ms)
        .order_by(COUNTERS.c.touched)
        .limit(FORGOTTEN_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    session.execute(delete(COUNTERS).where(COUNTERS.c.key.in_(old)))


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


_NOW = bindparam("now", type_=COUNTERS.c.until.type)
_STEP = bindparam("step", type_=COUNTERS.c.until.type)


def _new(dialect: Any, until: Any) -> Any:
    return dialect.insert(COUNTERS).values(key=bindparam("key"), count=1, until=until, touched=_NOW)


def _take(dialect: Any) -> ReturningInsert[Any]:
    """until: when everything taken so far will have been made up for."""
    from_now = case((COUNTERS.c.until > _NOW, COUNTERS.c.until), else_=_NOW)
    new = _new(dialect, _NOW + _STEP)
    taken: ReturningInsert[Any] = new.on_conflict_do_update(
        index_elements=[COUNTERS.c.key],
        set_={"until": from_now + _STEP, "count": COUNTERS.c.count + 1, "touched": _NOW},
        where=from_now + _STEP <= bindparam("limit", type_=COUNTERS.c.until.type),
    ).returning(COUNTERS.c.until)
    return taken


def _strike(dialect: Any) -> ReturningInsert[Any]:
    is_old = COUNTERS.c.touched < bindparam("old", type_=COUNTERS.c.until.type)
    count = case((is_old, 1), else_=COUNTERS.c.count + 1)
    delays = [(count >= failures, ms) for failures, ms in reversed(DELAYS_MS)]
    new = _new(dialect, _NOW)
    struck: ReturningInsert[Any] = new.on_conflict_do_update(
        index_elements=[COUNTERS.c.key],
        set_={"until": _NOW + case(*delays, else_=0), "count": count, "touched": _NOW},
        where=COUNTERS.c.until <= _NOW,
    ).returning(COUNTERS.c.count)
    return struck


_TAKE = MappingProxyType({"sqlite": _take(sqlite), "postgresql": _take(postgresql)})
_STRIKE = MappingProxyType({"sqlite": _strike(sqlite), "postgresql": _strike(postgresql)})
_IS_KEY = COUNTERS.c.key == bindparam("which")
_UNTIL = select(COUNTERS.c.until).where(_IS_KEY)
# What another failure at the same moment has added stays counted.
_FORGIVE = update(COUNTERS).where(_IS_KEY).values(count=0, until=0)
