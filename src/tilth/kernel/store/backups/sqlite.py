"""A SQLite file in use → a copy as of one moment, compared with it; and a copy in its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tilth.errors import CommandError
from tilth.kernel.store.backups.counts import Counts, require_known, require_same
from tilth.kernel.store.backups.files import (
    BESIDE,
    flush,
    partial_file,
    publish,
    refuse_existing,
    told_of,
)
from tilth.kernel.store.drivers.sqlite_file import (
    SqliteFile,
    connect,
    open_reader,
    primary_code,
)
from tilth.kernel.store.sync import LOCK_SECONDS, explained
from tilth.kit.clock import now

PAGES_AT_ONCE = 1_000

# Virtual tables have no root page; what they hold is in tables of their own.
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 ORDER BY name"
_OBJECTS = "SELECT count(*) FROM sqlite_master"
HINT = "Take an earlier backup. `sqlite3 FILE .recover` saves what can still be read."

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@dataclass(frozen=True, slots=True)
class Restored:
    """kept: where the database of before is, if there was one."""

    rows: Counts
    kept: Path | None = None


def back_up_sqlite(file: SqliteFile, path: Path, *, replaces: bool) -> Counts:
    """Writers go on meanwhile. Raises CommandError; path is then not made."""
    if file.in_memory:
        raise CommandError("A database in memory ends with its program: there is nothing to copy.")
    if not replaces:
        refuse_existing(path)
    elif path.exists() and os.path.samefile(path, file.path):
        raise CommandError(f"{path} is the database itself.", "Name another file.")
    with (
        explained(file.url()),
        closing(open_reader(file, LOCK_SECONDS).connection) as source,
    ):
        # What is counted and what is copied are one snapshot: that of this transaction.
        source.execute("BEGIN")
        rows = _counted(source)
        with partial_file(path) as partial:
            _copy(source, partial)
            require_same(rows, _proven(partial, file.label))
            publish(partial, path, replaces=replaces)
    return rows


def restore_sqlite(
    backup: Path, file: SqliteFile, wanted: Collection[str], *, replaces: bool
) -> Restored:
    """The file holds the backup, or what it held before, at every moment.

    wanted: tables of the application. replaces: a database that is there is kept under another name,
    else one that is not empty is refused. Raises CommandError.
    """
    if file.in_memory:
        raise CommandError("A database in memory cannot be restored: it ends with this command.")
    # A link that leads to the database goes on leading to it.
    path = Path(os.path.realpath(file.path))
    file = replace(file, path=str(path))
    if path.exists() and os.path.samefile(backup, path):
        raise CommandError(f"{backup} is the database itself.", "Name the backup.")
    with explained(file.url()), partial_file(path) as partial:
        if not replaces:
            _refuse_used(file)
        rows = _copied(backup, partial, wanted)
        kept = path.with_name(f"{path.name}.replaced-{now():%Y%m%d-%H%M%S}") if replaces else None
        return Restored(rows, _put_in_place(partial, file, kept))


def _copied(backup: Path, partial: Path, wanted: Collection[str]) -> Counts:
    """Raises CommandError for what is no backup, or a damaged one."""
    source = SqliteFile(os.path.abspath(backup), {"mode": "ro"})
    try:
        with closing(open_reader(source, LOCK_SECONDS).connection) as connection:
            connection.execute("BEGIN")
            rows = _counted(connection)
            require_known(str(backup), rows, wanted)
            _copy(connection, partial)
        require_same(rows, _proven(partial, str(backup)))
    except sqlite3.DatabaseError as exc:
        if primary_code(exc) not in _DAMAGED:
            raise
        raise CommandError(f"{backup} is damaged: {exc}.", HINT) from exc
    return rows


def _counted(connection: sqlite3.Connection) -> Counts:
    names = [name for (name,) in connection.execute(_TABLES).fetchall()]
    counts = {}
    for name in names:
        count = f"SELECT count(*) FROM {_quoted(name)}"
        [counts[name]] = connection.execute(count).fetchone()
    return counts


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _copy(source: sqlite3.Connection, partial: Path) -> None:
    try:
        with closing(connect(_file(partial).uri(), LOCK_SECONDS)) as target:
            # Until it has its name nobody needs it after a crash.
            target.execute("PRAGMA synchronous = OFF")
            source.backup(target, pages=PAGES_AT_ONCE)
            # One file then holds all: in WAL mode there could be more beside it.
            target.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as exc:
        if primary_code(exc) != sqlite3.SQLITE_FULL:
            raise
        raise CommandError(f"There is no room left in {partial.parent}.") from exc


def _proven(partial: Path, origin: str) -> Counts:
    """Raises CommandError for a copy that is damaged, as then is what it was made of."""
    with closing(connect(_file(partial).uri(mode="ro"), LOCK_SECONDS)) as copy:
        told = [line for (line,) in copy.execute("PRAGMA integrity_check").fetchall()]
        if told != ["ok"]:
            raise CommandError(f"{origin} is damaged: {told[0]}.", HINT)
        return _counted(copy)


def _file(path: Path) -> SqliteFile:
    return SqliteFile(os.path.abspath(path), {"mode": "rw"})


def _refuse_used(file: SqliteFile) -> None:
    if not os.path.exists(file.path):
        return
    with closing(open_reader(file, LOCK_SECONDS).connection) as connection:
        _refuse_tables(connection, file)


def _refuse_tables(connection: sqlite3.Connection, file: SqliteFile) -> None:
    [count] = connection.execute(_OBJECTS).fetchone()
    if count:
        raise CommandError(
            f"{file.label} is not empty.",
            "--replace keeps it under another name and puts the backup in its place.",
        )


def _put_in_place(partial: Path, file: SqliteFile, kept: Path | None) -> Path | None:
    path = Path(file.path)
    if not path.exists():
        _refuse_leftovers(path)
        publish(partial, path, replaces=False)
        return None
    with told_of(path):
        _take_rights(partial, path)
        flush(partial)
    with _nobody_else(file, kept) as old:
        if old is not None and kept is None:
            _refuse_tables(old, file)
        with told_of(path):
            if kept is not None:
                # A second name, so that the first one always leads to one of the two.
                os.link(path, kept)
            os.replace(partial, path)
            flush(path.parent)
    return kept


def _refuse_leftovers(path: Path) -> None:
    """SQLite would take them for changes to the restored file."""
    found = [f"{path}{name}" for name in BESIDE if os.path.exists(f"{path}{name}")]
    if found:
        raise CommandError(
            f"{path} is gone, and {found[0]} is still there: it may hold changes of it.",
            "Move it elsewhere first.",
        )


def _take_rights(partial: Path, path: Path) -> None:
    """Whoever could open the database can open what comes in its place."""
    found = path.stat()
    partial.chmod(found.st_mode & 0o777)
    if os.geteuid() == 0:
        os.chown(partial, found.st_uid, found.st_gid)


@contextmanager
def _nobody_else(file: SqliteFile, kept: Path | None) -> Iterator[sqlite3.Connection | None]:
    """The database with every change in its one file, and locked. None: it is too damaged for that.

    Raises CommandError while another program has it open: that one would go on in the old file.
    """
    with closing(connect(file.uri(mode="rw"), LOCK_SECONDS)) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as exc:
            if primary_code(exc) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise CommandError(
                f"Another program has {file.label} open.", "End the application first."
            ) from exc
        except sqlite3.DatabaseError as exc:
            if primary_code(exc) not in _DAMAGED or kept is None:
                raise
            connection.close()
            _move_along(Path(file.path), kept)
            yield None
            return
        yield connection


def _move_along(path: Path, kept: Path) -> None:
    """What is beside a damaged file stays beside it."""
    for name in BESIDE:
        if os.path.exists(f"{path}{name}"):
            os.rename(f"{path}{name}", f"{kept}{name}")
