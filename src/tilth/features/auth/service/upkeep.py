"""What has expired is cleared away, a little now and then, by every process that serves."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from tilth.errors import TilthError
from tilth.features.auth.models import counters, secrets
from tilth.features.auth.models.refresh import clear_refresh
from tilth.features.auth.models.sessions import clear_sessions
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.guard import milliseconds

EVERY_SECONDS = 15 * 60
KEPT_AFTERWARDS = timedelta(days=1)

logger = logging.getLogger("tilth.auth")


@asynccontextmanager
async def swept(accounts: Accounts) -> AsyncIterator[None]:
    rounds = asyncio.create_task(_rounds(accounts))
    try:
        yield
    finally:
        rounds.cancel()
        await asyncio.gather(rounds, return_exceptions=True)


def sweep(session: Session, now: datetime) -> None:
    """One round: a few hundred rows of each kind at most."""
    before = now - KEPT_AFTERWARDS
    secrets.clear(session, before)
    clear_sessions(session, before)
    clear_refresh(session, before)
    counters.clear(session, milliseconds(now))


async def _rounds(accounts: Accounts) -> None:
    while True:
        # Not all processes at once.
        await asyncio.sleep(EVERY_SECONDS * random.uniform(0.5, 1.5))
        try:
            await accounts.run(sweep)
        except TilthError as exc:
            logger.warning("Clearing what has expired failed: %s", type(exc).__name__)
