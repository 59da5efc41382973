"""Short reads of SQLite, in the event loop's own thread: most take less time than a thread's wake-up.

The loop stands still meanwhile, so a read gets two milliseconds of the processor; one that wants more
is stopped and left to the reader threads, as later ones with the same SQL are for a while. So is whatever would
have to wait, and whatever fails: the threads know how to wait, to try again and to explain.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic, thread_time
from typing import Any

from tilth.kernel.store.drivers.sqlite_file import (
    OpenFile,
    SqliteFile,
    open_reader,
    primary_code,
)

Rows = list[tuple[Any, ...]]

CPU_SECONDS = 0.002

SECONDS_AT_MOST = 0.02
"""By the clock: on a busy machine a read that is short may wait for the processor as long."""

STEPS_BETWEEN_LOOKS = 1_000
"""SQLite's own instructions between two looks at the clock: some ten microseconds."""

LONG_FOR_SECONDS = 10.0
"""How long a statement that took too long once is not tried here again."""

LONG_KEPT = 1_000

_WAITING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Inline:
    """A connection of one event loop, opened with its first read."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._open: OpenFile | None = None
        self._deadline = self._cpu_deadline = 0.0
        # The SQL of statements that took too long → until when they are left to the threads.
        self._long: OrderedDict[str, float] = OrderedDict()

    def rows(self, sql: str, arguments: Sequence[Any]) -> Rows | None:
        """None when a thread has to read them."""
        now = monotonic()
        if self._long and self._long.get(sql, 0.0) > now:
            return None
        try:
            connection = self._connection()
            self._cpu_deadline = thread_time() + CPU_SECONDS
            self._deadline = now + SECONDS_AT_MOST
            return connection.execute(sql, arguments).fetchall()
        except sqlite3.OperationalError as exc:
            if primary_code(exc) == sqlite3.SQLITE_INTERRUPT:
                self._leave_to_threads(sql, now)
            elif primary_code(exc) not in _WAITING:
                self.close()
        except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError):
            self.close()
        return None

    def close(self) -> None:
        if self._open is not None:
            self._open.connection.close()
            self._open = None

    def _leave_to_threads(self, sql: str, now: float) -> None:
        self._long[sql] = now + LONG_FOR_SECONDS
        self._long.move_to_end(sql)
        if len(self._long) > LONG_KEPT:
            self._long.popitem(last=False)

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and not self._open.is_current(self._file):
            self.close()
        if self._open is None:
            self._open = open_reader(self._file, busy_seconds=0)
            self._open.connection.set_progress_handler(self._is_over, STEPS_BETWEEN_LOOKS)
        return self._open.connection

    def _is_over(self) -> bool:
        """True stops the statement."""
        return thread_time() > self._cpu_deadline or monotonic() > self._deadline
