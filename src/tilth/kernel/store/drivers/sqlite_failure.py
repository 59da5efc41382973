"""An error of SQLite → what went wrong, told by its code; by its words only where SQLite has no code."""

from __future__ import annotations

import os
import re
import sqlite3

from tilth.kernel.store.drivers.failure import (
    UNREADABLE_ROWS,
    Failure,
    missing_column,
    missing_table,
    too_slow,
)
from tilth.kernel.store.drivers.sqlite_file import SqliteFile, has_log, primary_code


def sqlite_failure(
    exc: sqlite3.Error | OSError, file: SqliteFile, *, seconds: float
) -> Failure | None:
    """None: a mistake in the statement, which no retry mends. seconds: the statement's deadline."""
    if isinstance(exc, OSError):
        return _place_failure(file)
    match primary_code(exc):
        case sqlite3.SQLITE_INTERRUPT:
            return too_slow(seconds)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return LOCKED
        case sqlite3.SQLITE_NOTADB:
            return NOT_A_DATABASE
        case sqlite3.SQLITE_CORRUPT:
            return CORRUPT
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return _place_failure(file)
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_FULL:
            return DIRECTORY if os.path.isdir(file.path) else DISK
        case sqlite3.SQLITE_NOMEM:
            return NO_MEMORY
        case sqlite3.SQLITE_READONLY if exc.sqlite_errorcode != sqlite3.SQLITE_READONLY:
            return UNRECOVERED
        case sqlite3.SQLITE_TOOBIG:
            return UNREADABLE_ROWS
        case sqlite3.SQLITE_ERROR:
            return _failure_in_words(str(exc))
    return None


LOCKED = Failure(
    "database_busy",
    "The database file is locked by another program.",
    "Close the program that holds it, or wait until it is done.",
)
NOT_A_DATABASE = Failure(
    "database_unavailable",
    "The database file is not a SQLite database.",
    "Check the path; an encrypted database cannot be opened either.",
)
CORRUPT = Failure(
    "database_unavailable",
    "The database file is damaged.",
    "Look closer with `sqlite3 FILE 'PRAGMA integrity_check'` and restore a backup.",
)
DISK = Failure("database_unavailable", "The disk failed while the database file was read.")
NO_MEMORY = Failure("database_unavailable", "There is not enough memory to read the database.")
UNRECOVERED = Failure(
    "database_unavailable",
    "The database file was left in the middle of a change, which this program may not complete.",
    "Open it once with the right to write to the file and its folder.",
)
MISSING_FILE = Failure(
    "database_unavailable",
    "The database file does not exist.",
    "Check the path; `tilth create-tables` creates the database of an application.",
)
MISSING_FOLDER = Failure(
    "database_unavailable",
    "The folder of the database file does not exist.",
    "Check the path in the database URL, or make the folder.",
)
MISSING_FOR_GOOD = Failure(
    "database_unavailable",
    "The database file does not exist, and this program may not make it in that folder.",
    "Check the path, or give this program's user the right to write to the folder.",
)
DIRECTORY = Failure(
    "database_unavailable",
    "The path of the database file is a directory.",
    "Name the file inside it.",
)
UNREADABLE = Failure(
    "database_unavailable",
    "This program may not read the database file.",
    "Give its user the right to read the file and to enter the folders above it.",
)
CANNOT_OPEN = Failure("database_unavailable", "The database file cannot be opened.")


def _place_failure(file: SqliteFile) -> Failure:
    """SQLite answers "unable to open database file" whatever the reason: look at the path."""
    try:
        os.stat(file.path)
    except PermissionError:
        return UNREADABLE
    except OSError:
        return _absence(os.path.dirname(file.path))
    if os.path.isdir(file.path):
        return DIRECTORY
    if not os.access(file.path, os.R_OK):
        return UNREADABLE
    return UNRECOVERED if has_log(file.path) else CANNOT_OPEN


def _absence(folder: str) -> Failure:
    if not os.path.isdir(folder):
        return MISSING_FOLDER
    return MISSING_FILE if os.access(folder, os.W_OK) else MISSING_FOR_GOOD


_MISSING = re.compile(r"no such (?P<what>table|column): (?P<name>.+)")


# What functions in a view say of a value; all of it has the one code of every mistake in SQL.
_VALUE = re.compile(r"integer overflow|malformed JSON|JSON path error.*|bad JSON path.*")


def _failure_in_words(message: str) -> Failure | None:
    found = _MISSING.fullmatch(message)
    if found is None:
        return UNREADABLE_ROWS if _VALUE.fullmatch(message) else None
    make = missing_table if found["what"] == "table" else missing_column
    return make(found["name"].rpartition(".")[2])
