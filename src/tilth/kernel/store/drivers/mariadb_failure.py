"""An error on the way to or in MariaDB → what went wrong, told by its number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

import pymysql

from tilth.kernel.store.drivers.failure import (
    Failure,
    missing_column,
    missing_table,
    too_slow,
)

LOCK_TIMEOUT, DEADLOCK, CHANGED = 1205, 1213, 1020
CHECK_FAILED, NO_DEFAULT = 4025, 1364
COLLISIONS = frozenset({LOCK_TIMEOUT, DEADLOCK, CHANGED})
"""Another transaction came first: mariadb.com/kb/en/mariadb-error-code-reference."""

_STATEMENT_TIMEOUT, _NO_TABLE, _NO_COLUMN = 1969, 1146, 1054
_UNFIT = frozenset({1264, 1265, 1292, 1366, 1367, 1406, 1411, 1690, 1416, 4078, 1300})
_LOST = frozenset({2006, 2013, 4031, 1927, 1053})
_QUOTED = re.compile(r"'((?:[^']|'')+)'")


def errno_of(exc: BaseException) -> int | None:
    if not isinstance(exc, pymysql.Error) or not exc.args:
        return None
    number = exc.args[0]
    return number if isinstance(number, int) else None


def is_mariadb_conflict(exc: BaseException) -> bool:
    return errno_of(exc) in COLLISIONS


def is_unfit_value(exc: BaseException) -> bool:
    return errno_of(exc) in _UNFIT


def is_lost(exc: BaseException) -> bool:
    return errno_of(exc) in _LOST


def mariadb_failure(exc: BaseException, *, seconds: float = 0.0) -> Failure | None:
    """None: a mistake in the statement, which no retry mends. seconds: the statement's deadline."""
    number = errno_of(exc)
    if number is None:
        return None
    if number == _STATEMENT_TIMEOUT:
        return too_slow(seconds)
    if number == _NO_TABLE:
        return missing_table((_name_in(exc) or "").rpartition(".")[2] or None)
    if number == _NO_COLUMN:
        return missing_column((_name_in(exc) or "").rpartition(".")[2] or None)
    if number in COLLISIONS:
        return _CONFLICT
    if number in _LOST:
        return REFUSED
    return _BY_NUMBER.get(number)


def _name_in(exc: BaseException) -> str | None:
    """Connections ask for messages in English; in any language the name is quoted first."""
    found = _QUOTED.search(str(exc.args[1])) if len(exc.args) > 1 else None
    return found[1] if found else None


REFUSED = Failure(
    "database_unavailable",
    "The database server cannot be reached: the connection is refused or was cut.",
    "Check that it runs, and host and port in the database URL.",
)


def wrong_order(collation: str) -> Failure:
    return Failure(
        "database_schema",
        f"The database compares texts by {collation}, for which some that differ are the same.",
        "Make it anew: CREATE DATABASE … CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin.",
        told="The database compares texts in another way than the application needs.",
    )


_CONFLICT = Failure("database_busy", "The statement collided with another transaction.")
_WRONG_PASSWORD = Failure(
    "database_unavailable",
    "The database server refuses the user name or the password.",
    "Check both in the database URL; characters such as @ : / in a password are written as %40 …",
)
_NO_RIGHT = Failure(
    "database_schema",
    "The database user lacks a right that the application needs.",
    "GRANT it SELECT, INSERT, UPDATE, DELETE on the database, and CREATE, REFERENCES to make tables.",
)
_BY_NUMBER: Mapping[int, Failure] = MappingProxyType(
    {
        1045: _WRONG_PASSWORD,
        1698: _WRONG_PASSWORD,
        1044: _NO_RIGHT,
        1142: _NO_RIGHT,
        1143: _NO_RIGHT,
        1049: Failure(
            "database_unavailable",
            "The database does not exist on its server.",
            "Check the last part of the database URL, or create it.",
        ),
        1040: Failure(
            "database_busy",
            "The database server has no connection left.",
            "Lower the pool size of its clients, or raise max_connections.",
        ),
        1021: Failure("database_unavailable", "The database server has run out of disk."),
        2003: REFUSED,
        2002: REFUSED,
        2005: Failure(
            "database_unavailable",
            "The host name of the database is not known.",
            "Check the spelling of the host in the database URL, and the network.",
        ),
    }
)
