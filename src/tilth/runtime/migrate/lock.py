"""One process at a time changes a schema; the others wait, and then find that nothing is left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from sqlalchemy import Connection, Engine, text

from tilth.errors import CommandError

LOOK_SECONDS = 0.2

_TRY = text("SELECT pg_try_advisory_xact_lock(:key)")
_HOLDER = text(
    "SELECT a.pid, a.application_name, a.client_addr FROM pg_locks l"
    " JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
    " AND ((l.classid::bigint << 32) | l.objid::bigint) = :key LIMIT 1"
)


@contextmanager
def run_lock(
    engine: Engine, name: str, wait_seconds: float, say: Callable[[str], None]
) -> Iterator[None]:
    """Held on a connection of its own, so that nothing a revision does can let it go.

    PostgreSQL: as long as a transaction that does nothing else, which a pooler cannot strand and
    which does not hold up CREATE INDEX CONCURRENTLY. SQLite: nothing, since each revision takes the
    write lock of the file. No correctness hangs on it: a revision looks again, in its own
    transaction, whether it is still to be made.
    Raises CommandError when another process has it for too long.
    """
    if engine.dialect.name == "sqlite":
        yield
        return
    with engine.connect() as connection:
        _take(connection, _key(name), wait_seconds, say)
        # The query before leaves its snapshot open, for which CREATE INDEX CONCURRENTLY would wait.
        connection.exec_driver_sql("SET LOCAL application_name = 'tilth migrate'")
        yield


def _take(
    connection: Connection, key: int, wait_seconds: float, say: Callable[[str], None]
) -> None:
    deadline = monotonic() + wait_seconds
    is_told = False
    while not connection.execute(_TRY, {"key": key}).scalar():
        # CREATE INDEX CONCURRENTLY, which the other may have come to, waits for whoever has a snapshot.
        connection.rollback()
        if monotonic() > deadline:
            raise CommandError(
                f"Another process has been migrating this database for {wait_seconds:g} seconds: "
                f"{_holder(connection, key)}.",
                "Look what it waits for, or wait longer: TILTH_MIGRATE_WAIT_SECONDS.",
            )
        if not is_told:
            say("Another process is migrating this database: waiting for it.")
            is_told = True
        sleep(LOOK_SECONDS)


def _holder(connection: Connection, key: int) -> str:
    row = connection.execute(_HOLDER, {"key": key}).first()
    if row is None:
        return "it has just ended"
    return f"process {row.pid} {row.application_name} at {row.client_addr or 'the socket'}"


def _key(name: str) -> int:
    """Of the version table: two histories in one database do not wait for each other."""
    digest = hashlib.sha256(f"tilth migrate {name}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1
