"""SQLite for reading: short reads at once, others in a few threads with a connection each."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary, finalize, ref

from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL

from tilth.errors import Unavailable
from tilth.kernel.store.drivers.failure import no_connection_free, unavailable, unfit_value
from tilth.kernel.store.drivers.sqlite_at_once import Inline
from tilth.kernel.store.drivers.sqlite_dialect import keep_instants
from tilth.kernel.store.drivers.sqlite_failure import sqlite_failure
from tilth.kernel.store.drivers.sqlite_file import (
    OpenFile,
    SqliteFile,
    connect,
    open_reader,
    primary_code,
)
from tilth.settings import StoreSettings

Rows = list[tuple[Any, ...]]

STEPS_BETWEEN_LOOKS = 5_000
"""SQLite's own instructions between two looks at the clock; well below a millisecond."""

SECONDS_BETWEEN_TRIES = 0.005


class Read:
    """One statement on its way through a reader thread."""

    __slots__ = ("arguments", "deadline", "future", "is_given_up", "is_started", "loop", "sql")

    def __init__(self, sql: str, arguments: Sequence[Any]) -> None:
        self.sql, self.arguments = sql, arguments
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Rows] = self.loop.create_future()
        self.is_started = self.is_given_up = False
        self.deadline = 0.0

    def must_stop(self) -> bool:
        # Not the loop's own clock: a loop answers only the thread it runs in.
        return self.is_given_up or monotonic() > self.deadline

    def answer(self, rows: Rows | None, error: BaseException | None) -> None:
        """From the reader's thread; a loop that was closed meanwhile wants no answer."""
        try:
            self.loop.call_soon_threadsafe(self._deliver, rows, error)
        except RuntimeError:
            return

    def _deliver(self, rows: Rows | None, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(rows or [])


class SqliteDatabase:
    """Reads from one SQLite database; threads and connections come with the first read."""

    def __init__(self, file: SqliteFile, settings: StoreSettings) -> None:
        self.dialect = SQLiteDialect_pysqlite()
        keep_instants(self.dialect)
        self.url: URL = file.url()
        self.label = file.label
        self._file, self._settings = file, settings
        self._reads: SimpleQueue[Read | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._starting = Lock()
        self._inline: WeakKeyDictionary[asyncio.AbstractEventLoop, Inline] = WeakKeyDictionary()
        self._latest: tuple[ref[asyncio.AbstractEventLoop], Inline] | None = None
        # A database in memory lasts as long as a connection to it.
        self._anchor = connect(file.uri(), settings.lock_seconds) if file.in_memory else None
        # The threads hold no reference to this object, so that forgetting it ends them too.
        finalize(self, _dismiss, self._reads, settings.sqlite_readers)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Rows:
        rows = self._inline_here().rows(sql, arguments)
        return await self._read_in_a_thread(sql, arguments) if rows is None else rows

    def _inline_here(self) -> Inline:
        """That of this event loop; usually there is only one."""
        loop = asyncio.get_running_loop()
        if self._latest is None or self._latest[0]() is not loop:
            if loop not in self._inline:
                self._inline[loop] = Inline(self._file)
            self._latest = ref(loop), self._inline[loop]
        return self._latest[1]

    async def _read_in_a_thread(self, sql: str, arguments: Sequence[Any]) -> Rows:
        read = Read(sql, arguments)
        self._start_threads()
        self._reads.put(read)
        patience = read.loop.call_later(self._settings.pool_wait_seconds, self._lose_patience, read)
        try:
            return await read.future
        except asyncio.CancelledError:
            read.is_given_up = True
            raise
        finally:
            patience.cancel()

    async def ping(self) -> None:
        await self.fetch("SELECT count(*) FROM sqlite_schema", ())

    async def close(self) -> None:
        inline = self._inline.pop(asyncio.get_running_loop(), None)
        self._latest = None
        if inline is not None:
            inline.close()
        threads, self._threads = self._threads, []
        _dismiss(self._reads, len(threads))
        for thread in threads:
            await asyncio.to_thread(thread.join)
        if self._anchor is not None:
            self._anchor.close()

    def _start_threads(self) -> None:
        if self._threads:
            return
        with self._starting:
            while len(self._threads) < self._settings.sqlite_readers:
                reader = Reader(self._file, self._settings)
                thread = Thread(target=reader.run, args=(self._reads,), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _lose_patience(self, read: Read) -> None:
        if not read.is_started and not read.future.done():
            read.is_given_up = True
            busy = no_connection_free(self._settings.pool_wait_seconds)
            read.future.set_exception(unavailable(busy, self.label))


def _dismiss(reads: SimpleQueue[Read | None], count: int) -> None:
    for _ in range(count):
        reads.put(None)


class Reader:
    """What one thread owns: a connection, opened anew when the file behind it was replaced."""

    def __init__(self, file: SqliteFile, settings: StoreSettings) -> None:
        self._file, self._settings = file, settings
        self._open: OpenFile | None = None
        self._read: Read | None = None
        self._pause = Event()

    def run(self, reads: SimpleQueue[Read | None]) -> None:
        while (read := reads.get()) is not None:
            if not read.is_given_up:
                self._serve(read)
        self._close()

    def _serve(self, read: Read) -> None:
        read.is_started = True
        read.deadline = monotonic() + self._settings.statement_seconds
        self._read = read
        try:
            read.answer(self._rows(read), None)
        except BaseException as exc:
            # It belongs to the caller, who waits in another thread; this one reads on.
            read.answer(None, exc)
        finally:
            self._read = None

    def _rows(self, read: Read) -> Rows:
        try:
            return self._unlocked(self._connection(), read)
        except (sqlite3.Error, OSError) as exc:
            explained = self._explained(exc)
            if explained is None:
                raise
            raise explained from exc
        except (OverflowError, UnicodeEncodeError) as exc:
            raise unfit_value() from exc

    def _unlocked(self, connection: sqlite3.Connection, read: Read) -> Rows:
        """SQLite itself waits for locks on a file, but not for those on a database in memory."""
        while True:
            try:
                return self._fetched(connection, read)
            except sqlite3.OperationalError as exc:
                if primary_code(exc) != sqlite3.SQLITE_LOCKED or read.must_stop():
                    raise
            self._pause.wait(SECONDS_BETWEEN_TRIES)

    def _fetched(self, connection: sqlite3.Connection, read: Read) -> Rows:
        try:
            return connection.execute(read.sql, read.arguments).fetchall()
        except sqlite3.OperationalError as exc:
            if hasattr(exc, "sqlite_errorcode"):
                raise
        # Only Python's own complaint about text that is no UTF-8 has no code. Asking for a decoder
        # always would cost every text value a call.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        try:
            return connection.execute(read.sql, read.arguments).fetchall()
        finally:
            connection.text_factory = str

    def _explained(self, exc: sqlite3.Error | OSError) -> Unavailable | None:
        seconds = self._settings.statement_seconds
        failure = sqlite_failure(exc, self._file, seconds=seconds)
        if failure is None:
            return None
        if failure.code == "database_unavailable":
            self._close()
        return unavailable(failure, self._file.label)

    def _connection(self) -> sqlite3.Connection:
        if self._open is not None and not self._open.is_current(self._file):
            self._close()
        if self._open is None:
            self._open = open_reader(self._file, self._settings.lock_seconds)
            self._open.connection.set_progress_handler(self._look, STEPS_BETWEEN_LOOKS)
        return self._open.connection

    def _look(self) -> bool:
        """True stops the statement."""
        return self._read is not None and self._read.must_stop()

    def _close(self) -> None:
        if self._open is not None:
            self._open.connection.close()
            self._open = None
