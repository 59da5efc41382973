"""An error on the way to or in PostgreSQL → what went wrong, told by its SQLSTATE."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping
from types import MappingProxyType

import asyncpg  # type: ignore[import-untyped]

from tilth.kernel.store.drivers.failure import (
    UNREADABLE_ROWS,
    Failure,
    missing_column,
    missing_table,
    too_slow,
)

_UNFIT = frozenset(
    {"22000", "22001", "22003", "22007", "22008", "22021", "22P02", "22P03", "22P05"}
)
"""Out of range, wrong spelling, not of the type; 22000 is asyncpg's own refusal of an argument."""

_PASSING = frozenset({"40001", "40P01", "57P01", "57P02", "57P05", "08000", "08003", "08006"})
"""The server ended a connection it had granted, or put another transaction first."""


_PASSING_CLASSES = (
    # What asyncpg says when the server's farewell has arrived and the end of the stream has not.
    asyncpg.InternalClientError,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
)


def state_of(exc: BaseException) -> str | None:
    """The SQLSTATE, which asyncpg and psycopg keep under the same name."""
    state = getattr(exc, "sqlstate", None)
    return state if isinstance(state, str) else None


def is_unfit_value(exc: Exception) -> bool:
    return state_of(exc) in _UNFIT


def deserves_another_try(exc: Exception) -> bool:
    """A kept connection had died, or another transaction came first. Reading twice is harmless.

    asyncpg itself prepares a statement anew when the schema changed under it.
    """
    return state_of(exc) in _PASSING or isinstance(exc, _PASSING_CLASSES)


def postgres_failure(exc: BaseException, *, sql: str = "", seconds: float = 0.0) -> Failure | None:
    """None: a mistake in the statement, which no retry mends. seconds: the statement's deadline."""
    state = state_of(exc)
    if isinstance(exc, asyncpg.InternalClientError):
        return REFUSED
    if state is None:
        return _network_failure(exc) if isinstance(exc, OSError) else None
    match state:
        case "57014":
            return too_slow(seconds)
        case "42P01":
            return missing_table(_name_at(exc, sql))
        case "42703":
            return missing_column(_name_at(exc, sql))
    if sql and state[:2] in _OF_ROWS:
        return UNREADABLE_ROWS
    return _BY_STATE.get(state) or _BY_CLASS.get(state[:2])


def _name_at(exc: BaseException, sql: str) -> str | None:
    """What stands in the statement where PostgreSQL points; its message may be in any language."""
    position = getattr(exc, "position", None)
    found = _PATH.match(sql, int(position) - 1) if position else None
    if found is None:
        return None
    name: str = _PART.findall(found[0])[-1]
    return name.strip('"').replace('""', '"')


_PART = re.compile(r'"(?:[^"]|"")*"|\w+')
_PATH = re.compile(rf"(?:{_PART.pattern})(?:\.(?:{_PART.pattern}))*")


def _network_failure(exc: OSError) -> Failure:
    if isinstance(exc, socket.gaierror):
        return UNKNOWN_HOST
    if isinstance(exc, ssl.SSLError):
        return NO_TRUST
    if isinstance(exc, TimeoutError):
        return SILENT
    # asyncpg raises the bare class when the URL demands TLS and the server has none.
    return NO_TLS if type(exc) is ConnectionError else REFUSED


UNKNOWN_HOST = Failure(
    "database_unavailable",
    "The host name of the database is not known.",
    "Check the spelling of the host in the database URL, and the network.",
)
NO_TRUST = Failure(
    "database_unavailable",
    "The database's TLS certificate is not trusted.",
    "Check sslmode and sslrootcert in the database URL.",
)
NO_TLS = Failure(
    "database_unavailable",
    "The database server offers no encrypted connection, but the database URL demands one.",
    "Switch TLS on at the server, or leave sslmode out of the URL on a network you trust.",
)
SILENT = Failure(
    "database_unavailable",
    "The database server does not answer.",
    "Check host and port in the database URL, and firewalls between here and there.",
)
REFUSED = Failure(
    "database_unavailable",
    "The database server cannot be reached: the connection is refused or was cut.",
    "Check that it runs, and host and port in the database URL.",
)
_WRONG_PASSWORD = Failure(
    "database_unavailable",
    "The database server refuses the user name or the password.",
    "Check both in the database URL; characters such as @ : / in a password are written as %40 …",
)
_OUT_OF_RESOURCES = Failure(
    "database_unavailable", "The database server has run out of memory or disk."
)
_SHUT_DOWN = Failure(
    "database_unavailable", "The database server is starting, stopping or was restarted."
)
_SCHEMA_DIFFERS = Failure(
    "database_schema",
    "The tables of the database do not fit the models: a type or function is not as expected.",
    "Bring the database and the models to the same version.",
)
_UNFILLED = Failure(
    "database_rows",
    "A materialized view that is read has not been filled yet.",
    "Fill it with REFRESH MATERIALIZED VIEW.",
)
_NO_SUCH_OPERATION = Failure(
    "database_rows",
    "The database cannot compare or search the values of a field in the way that is asked.",
    "Before version 18, PostgreSQL searches no text under a nondeterministic collation.",
)
_FOREIGN = Failure(
    "database_rows", "What a foreign table of the database stands for cannot be read."
)
_DAMAGED = Failure("database_unavailable", "The database server reports damaged data.")
_CONFLICT = Failure("database_busy", "The read collided with another transaction.")

_BY_STATE: Mapping[str, Failure] = MappingProxyType(
    {
        "28000": _WRONG_PASSWORD,
        "28P01": _WRONG_PASSWORD,
        "3D000": Failure(
            "database_unavailable",
            "The database does not exist on its server.",
            "Check the last part of the database URL, or create it with `createdb`.",
        ),
        "08P01": Failure(
            "database_unavailable",
            "The database server does not accept Tilth's start-up parameters.",
            "Behind PgBouncer or another pooler, switch on the setting for poolers.",
        ),
        "53300": Failure(
            "database_busy",
            "The database server has no connection left.",
            "Lower the pool size of its clients, or raise max_connections.",
        ),
        "55P03": Failure(
            "database_busy", "A table is locked by another transaction, such as a migration."
        ),
        "40001": _CONFLICT,
        "40P01": _CONFLICT,
        "42501": Failure(
            "database_schema",
            "The database user lacks a right that the application needs.",
            "GRANT it SELECT on the tables, and to create tables also CREATE on the schema.",
        ),
        "0A000": _NO_SUCH_OPERATION,
        "55000": _UNFILLED,
        "58P01": _FOREIGN,
        "42704": _SCHEMA_DIFFERS,
        "42804": _SCHEMA_DIFFERS,
        "42846": _SCHEMA_DIFFERS,
        "42883": _SCHEMA_DIFFERS,
        "3F000": _SCHEMA_DIFFERS,
    }
)
_BY_CLASS: Mapping[str, Failure] = MappingProxyType(
    {
        "08": REFUSED,
        "53": _OUT_OF_RESOURCES,
        "57": _SHUT_DOWN,
        "58": _OUT_OF_RESOURCES,
        "HV": _FOREIGN,
        "XX": _DAMAGED,
    }
)
_OF_ROWS = frozenset({"21", "22", "2F", "38", "39", "P0"})
"""Classes of what goes wrong in views and in the functions they call."""
