"""A statement, made and rolled back in a scratch database → the locks it takes, and what it rewrites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

STRENGTH = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
WORDS: Mapping[str, str] = {
    "AccessShareLock": "",
    "RowShareLock": "ROW SHARE",
    "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE",
    "ShareLock": "SHARE (writers wait)",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE (writers wait)",
    "ExclusiveLock": "EXCLUSIVE (writers wait)",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE (everybody waits)",
}

# The oids of tables that the developer made begin here (FirstNormalObjectId).
_FILES = "SELECT oid, pg_relation_filenode(oid) FROM pg_class WHERE relkind IN ('r', 'm') AND oid >= 16384"
_LOCKS = (
    "SELECT c.relname, l.mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
    " WHERE l.pid = pg_backend_pid() AND l.granted AND c.relkind IN ('r', 'p', 'm')"
    " AND c.oid >= 16384 AND c.relname NOT IN ('alembic_version', 'tilth_migration')"
)
_POINT = "tilth_probe"


@dataclass(frozen=True, slots=True)
class Probed:
    """table: the one with the strongest lock. lock: in words."""

    table: str = ""
    lock: str = ""
    rewrites: bool = False


def probe(connection: Connection, sql: str, parameters: Any) -> Probed:
    """In the transaction that is open, which is as it was afterwards.

    When it takes no new lock, the strongest that its transaction still holds is told.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"SAVEPOINT {_POINT}")
        cursor.execute(_FILES)
        before = dict(cursor.fetchall())
        cursor.execute(_LOCKS)
        held = set(cursor.fetchall())
        cursor.execute(sql, parameters or None)
        cursor.execute(_LOCKS)
        locks = set(cursor.fetchall())
        cursor.execute(_FILES)
        after = dict(cursor.fetchall())
        cursor.execute(f"ROLLBACK TO SAVEPOINT {_POINT}")
    finally:
        cursor.close()
    rewrites = any(after.get(oid, file) != file for oid, file in before.items())
    taken = locks - held or locks
    weakest = ("", "AccessShareLock")
    table, mode = max(taken, key=lambda each: STRENGTH.index(each[1]), default=weakest)
    return Probed(str(table), WORDS[mode], rewrites)
