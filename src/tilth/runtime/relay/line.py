"""The events of one subscriber, delivered one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tilth.errors import TilthError
from tilth.kernel.store.deliveries import Delivery, given_back, made, put_off, take
from tilth.kernel.store.unit import Units
from tilth.runtime.relay.call import Call
from tilth.settings import RelaySettings

ROUND_SECONDS = 1.0
"""Then what has been done is written down: so much is done again at most when a process dies."""

SETTLE_PAUSES_SECONDS = (0.1, 1.0, 5.0)

SLOWER = 4
"""Each pause before another attempt is so many times the one before."""

logger = logging.getLogger("tilth.relay")


@dataclass(slots=True)
class Round:
    """What has become of the deliveries taken together."""

    taken: Sequence[Delivery]
    made: list[Delivery] = field(default_factory=list)
    failed: list[tuple[Delivery, str]] = field(default_factory=list)

    @property
    def untried(self) -> Sequence[Delivery]:
        return self.taken[len(self.made) + len(self.failed) :]


class Line:
    """Apart from the other subscribers', so that one that hangs or fails holds nobody up."""

    def __init__(
        self,
        name: str,
        call: Call,
        units: Units,
        now: Callable[[], datetime],
        settings: RelaySettings,
    ) -> None:
        self.name = name
        self.woken = asyncio.Event()
        self._call, self._units, self._now, self._settings = call, units, now, settings
        self._is_stopping = False

    async def run(self) -> None:
        """Until it is stopped, and then to the end of the call that is being made."""
        while not self._is_stopping:
            await self.woken.wait()
            self.woken.clear()
            try:
                while not self._is_stopping and await self._round():
                    pass
            except (TilthError, SQLAlchemyError) as exc:
                # What was taken comes again; the next look is after the next poll.
                logger.warning("Events for %s wait: %s", self.name, exc)

    def stop(self) -> None:
        self._is_stopping = True
        self.woken.set()

    def close(self) -> None:
        self._call.close()

    async def _round(self) -> bool:
        """False when there was nothing to deliver."""
        now = self._now()
        # Longer than a round can last with a last call that takes all the time it may.
        until = now + timedelta(seconds=2 * self._settings.call_seconds + ROUND_SECONDS)
        work = partial(take, subscriber=self.name, now=now, until=until)
        done = Round(await self._units.run(work))
        if not done.taken:
            return False
        try:
            await self._deliver(done)
        finally:
            # When cancelled too: what was not tried is free for the next process at once.
            await self._settled(done)
        return True

    async def _deliver(self, done: Round) -> None:
        end = monotonic() + ROUND_SECONDS
        for each in done.taken:
            if each.attempt > self._settings.attempts:
                done.failed.append((each, "The process ended during the last attempt."))
                continue
            failure = await self._call.failure(each)
            if failure is None:
                done.made.append(each)
            else:
                done.failed.append((each, failure))
            if self._is_stopping or monotonic() > end:
                return

    async def _settled(self, done: Round) -> None:
        """Tried for a while: what is not written down will be delivered twice."""
        settle = partial(self._settle, done=done)
        for pause_seconds in () if self._is_stopping else SETTLE_PAUSES_SECONDS:
            try:
                return await self._units.run(settle)
            except (TilthError, SQLAlchemyError) as exc:
                logger.warning("What was delivered to %s is not written down: %s", self.name, exc)
            await asyncio.sleep(pause_seconds)
        await self._units.run(settle)

    def _settle(self, session: Session, done: Round) -> None:
        made(session, done.made)
        for each, failure in done.failed:
            put_off(session, each, self._next_attempt(each), failure)
        given_back(session, done.untried, self._now())

    def _next_attempt(self, delivery: Delivery) -> datetime | None:
        if delivery.attempt >= self._settings.attempts:
            event = delivery.event
            logger.error("%s is given up for %s %s", self.name, event.type, event.id)
            return None
        seconds = self._settings.retry_seconds * SLOWER ** (delivery.attempt - 1)
        return self._now() + timedelta(seconds=seconds)
