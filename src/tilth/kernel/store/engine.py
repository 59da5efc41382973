"""A database URL → connections for reading. Nothing is connected to until the first read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from tilth.errors import CommandError, Finding, SetupError
from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.drivers.sqlite import SqliteDatabase
from tilth.kernel.store.drivers.sqlite_file import sqlite_file_from
from tilth.settings import StoreSettings

DIALECTS: Mapping[str, str] = MappingProxyType(
    {
        "sqlite": "sqlite",
        "sqlite+pysqlite": "sqlite",
        "sqlite+aiosqlite": "sqlite",
        "postgresql": "postgresql",
        "postgres": "postgresql",
        "postgresql+asyncpg": "postgresql",
        "postgresql+psycopg": "postgresql",
        "mariadb": "mariadb",
        "mariadb+pymysql": "mariadb",
        "mariadb+aiomysql": "mariadb",
        "mysql": "mariadb",
        "mysql+pymysql": "mariadb",
        "mysql+aiomysql": "mariadb",
    }
)
"""Driver names are accepted since URLs are copied from elsewhere; Tilth chooses the driver itself."""

_FORMS = (
    "Write sqlite:///path/to/file.db, sqlite:// (in memory), "
    "postgresql://user:password@host:5432/database or mariadb://user:password@host:3306/database."
)


def open_database(url: str | URL, settings: StoreSettings, *, read_only: bool = False) -> Database:
    """read_only: the database is another program's; Tilth opens it with no right to write.

    Raises SetupError when the URL is not one Tilth knows or its driver is not installed.
    """
    where = database_url(url)
    if where.drivername == "sqlite":
        return SqliteDatabase(sqlite_file_from(where, read_only=read_only), settings)
    if where.drivername == "mariadb":
        return _mariadb(where, settings)
    try:
        from tilth.kernel.store.drivers.postgres import PostgresDatabase
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver(exc.name or "asyncpg")) from exc
    return PostgresDatabase(where, settings)


def _mariadb(where: URL, settings: StoreSettings) -> Database:
    try:
        from tilth.kernel.store.drivers.mariadb import MariadbDatabase
    except ModuleNotFoundError as exc:
        raise SetupError(missing_driver(exc.name or "aiomysql")) from exc
    return MariadbDatabase(where, settings)


def database_url(url: str | URL) -> URL:
    """The URL with the plain name of its dialect. Raises SetupError that never shows the URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # SQLAlchemy's own message may quote the password.
        raise SetupError(_bad_url("This is not a database URL.")) from None
    dialect = DIALECTS.get(parsed.drivername)
    if dialect is None:
        raise SetupError(_bad_url(f"Tilth cannot use {parsed.drivername!r} databases."))
    if dialect == "sqlite" and parsed.host:
        path = "/".join(filter(None, (parsed.host, parsed.database)))
        found = _bad_url("A slash is missing: a SQLite file is named after three.")
        raise SetupError(replace(found, remedy=f"Write sqlite:///{path}."))
    plain = parsed.set(drivername=dialect)
    return _in_libpq_words(plain) if dialect == "postgresql" else plain


def refuse_mariadb(url: str | URL, what: str) -> None:
    """Raises CommandError. what: "Migrations are", of something that works elsewhere only."""
    if database_url(url).drivername == "mariadb":
        raise CommandError(
            f"{what} not supported on MariaDB.",
            "Use SQLite or PostgreSQL; docs/reference/databases.md says what works where.",
        )


def _in_libpq_words(url: URL) -> URL:
    """SQLAlchemy's asyncpg driver has words of its own in URLs: only `ssl` means anything here."""
    ssl = url.query.get("ssl")
    plain = url.difference_update_query(("ssl", "prepared_statement_cache_size"))
    return plain.update_query_dict({"sslmode": ssl}) if ssl else plain


def _bad_url(reason: str) -> Finding:
    return Finding("settings.database", "database URL", reason, _FORMS)


def missing_driver(name: str) -> Finding:
    is_mariadb = name in ("aiomysql", "pymysql")
    server, extra = ("MariaDB", "mysql") if is_mariadb else ("PostgreSQL", "postgres")
    reason = f"{server} needs the driver {name}, which is not installed."
    return Finding("settings.driver", "database URL", reason, f"Install tilth[{extra}].")
