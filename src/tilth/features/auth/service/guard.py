"""How often somebody may try: counted before anything is verified, for everybody alike."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from random import SystemRandom

from sqlalchemy.orm import Session

from tilth.errors import TooManyRequests
from tilth.features.auth.models.audit import Origin
from tilth.features.auth.models.counters import Rate, Reading, counter_key, forgive, strike, take
from tilth.features.auth.service.origins import neighbourhood_of
from tilth.features.auth.settings import Limits

WINDOW_SECONDS = 60

BLUR_SECONDS = 0.02
_CHANCE = SystemRandom()


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an attempt may go on. wait_seconds: 0, or when to come back. strike_key: to forgive."""

    readings: tuple[Reading, ...] = ()
    wait_seconds: int = 0
    strike_key: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raises TooManyRequests. Only after the transaction that counted: it has to be kept."""
        if self.wait_seconds:
            raise TooManyRequests(
                f"Too many attempts. Wait {_seconds(self.wait_seconds)}.",
                headers={"Retry-After": str(self.wait_seconds), **self.headers},
            )


def admit(
    session: Session, limits: Limits, origin: Origin, now: datetime, *, cost: str = "attempt"
) -> Admission:
    """Counts one attempt against its neighbourhood and against all. cost: what is attempted."""
    now_ms = milliseconds(now)
    near = Rate(cost, limits.per_address, WINDOW_SECONDS)
    overall = Rate("overall", limits.overall, WINDOW_SECONDS)
    reading = take(session, counter_key("near", neighbourhood_of(origin.address)), near, now_ms)
    readings: tuple[Reading, ...] = (reading,)
    if reading.is_allowed:
        readings += (take(session, counter_key("overall"), overall, now_ms),)
    wait = max(each.wait_seconds for each in readings)
    return Admission(readings, wait, headers=rate_headers(reading))


def admit_failure(session: Session, admission: Admission, key: bytes, now: datetime) -> Admission:
    """Counts a failure on one account in advance. Nothing is counted for who has to wait anyway."""
    if admission.wait_seconds:
        return admission
    wait = strike(session, key, milliseconds(now))
    return Admission(admission.readings, wait, key, admission.headers)


def forgive_failure(session: Session, admission: Admission) -> None:
    if admission.strike_key is not None:
        forgive(session, admission.strike_key)


async def blur() -> None:
    """Waits for up to BLUR_SECONDS, by chance, before an answer that must not tell who exists.

    What is written of somebody takes some 0.05 milliseconds longer than the same of nobody
    (bench/enumeration.py). To find that in this takes more requests than the limits let through.
    """
    await asyncio.sleep(_CHANCE.uniform(0, BLUR_SECONDS))


def rate_headers(reading: Reading) -> dict[str, str]:
    """As draft-ietf-httpapi-ratelimit-headers has them. Of what is counted per caller only."""
    rate = reading.rate
    reset = max(reading.wait_seconds, 1 if reading.remaining == 0 else 0) or rate.window_seconds
    return {
        "RateLimit-Policy": f'"{rate.name}";q={rate.quota};w={rate.window_seconds}',
        "RateLimit": f'"{rate.name}";r={reading.remaining};t={reset}',
    }


def _seconds(count: int) -> str:
    return f"{count} second" if count == 1 else f"{count} seconds"


def account_key(what: str, who: str) -> bytes:
    return counter_key("failures", what, who)


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
