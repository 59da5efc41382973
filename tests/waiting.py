"""Two transactions of PostgreSQL, one of which waits for the other."""

from __future__ import annotations

from threading import Event

from sqlalchemy import Connection, text
from sqlalchemy.orm import Session

_WAITERS = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


def wait_for_a_waiter(asked: Connection | Session) -> None:
    """Until another transaction waits for a lock, which here only this one can hold."""
    pause = Event()
    for _ in range(1000):
        if asked.scalar(_WAITERS):
            return
        pause.wait(0.01)
    raise TimeoutError
