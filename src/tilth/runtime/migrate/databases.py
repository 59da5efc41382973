"""The database to change, and scratch databases in which to try: gone afterwards, crash or not."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from tilth.errors import CommandError
from tilth.kernel.store.engine import database_url
from tilth.kernel.store.sync import sync_engine
from tilth.kit.ids import uuid7
from tilth.runtime.migrate.postgresql.shape import postgresql_shape
from tilth.runtime.migrate.shape import Shape
from tilth.runtime.migrate.sqlite.shape import sqlite_shape

SCRATCH = "tilth_scratch_"
FORGOTTEN_SECONDS = 120
"""Scratch databases of a process that was killed are dropped once they are as old as this."""

_FORGOTTEN = text(
    "SELECT datname FROM pg_database WHERE starts_with(datname, :prefix)"
    " AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datname = pg_database.datname)"
)
_SCHEMA = text("SELECT current_schema()")


def migration_engine(url: str | URL, lock_seconds: float = 2.0) -> Engine:
    """For changing the schema. SQLite: foreign keys are not enforced, they are checked afterwards.

    lock_seconds: of PostgreSQL, in transactions; what runs outside of one locks out nobody.
    """
    engine = sync_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _foreign_keys_off)
        return engine

    @event.listens_for(engine, "begin")
    def limit(connection: Connection) -> None:
        if not is_outside_transaction(connection):
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(lock_seconds * 1000)}")
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.exec_driver_sql(f"SET LOCAL {name} = 0")

    return engine


def is_outside_transaction(connection: Connection) -> bool:
    """Each statement is a transaction of its own: below `autocommit_block`."""
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _foreign_keys_off(connection: Any, record: object) -> None:
    # Inside a transaction it would have no effect, and a rebuilt table would lose its children.
    connection.execute("PRAGMA foreign_keys = OFF")


@contextmanager
def scratch_engine(url: str | URL, scratch: str | None = None) -> Iterator[Engine]:
    """An empty database of the same kind. scratch: URL of a server or database to use for it.

    Raises CommandError when PostgreSQL does not let this user make one.
    """
    where = database_url(url)
    if where.drivername == "sqlite":
        with tempfile.TemporaryDirectory(prefix=SCRATCH) as folder:
            engine = migration_engine(f"sqlite:///{Path(folder) / 'scratch.db'}")
            try:
                yield engine
            finally:
                engine.dispose()
        return
    with _scratch_database(database_url(scratch) if scratch else where) as made:
        engine = migration_engine(made)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def _scratch_database(where: URL) -> Iterator[URL]:
    server = sync_engine(where)
    name = f"{SCRATCH}{uuid7().hex}"
    try:
        _drop_forgotten(server)
        _outside_transaction(server, f"CREATE DATABASE {name} TEMPLATE template0")
    except DBAPIError as exc:
        if getattr(exc.orig, "sqlstate", None) != "42501":
            raise
        raise CommandError(
            "This user of PostgreSQL may not make databases, and a scratch database is needed.",
            "Let it (ALTER ROLE … CREATEDB), or set TILTH_MIGRATE_SCRATCH to the URL of a server "
            "where it may.",
        ) from exc
    finally:
        server.dispose()
    try:
        yield where.set(database=name)
    finally:
        try:
            _outside_transaction(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        finally:
            server.dispose()


def _outside_transaction(engine: Engine, statement: str) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)


def _drop_forgotten(server: Engine) -> None:
    with server.connect() as connection:
        names = connection.execute(_FORGOTTEN, {"prefix": SCRATCH}).scalars().all()
    for name in names:
        if _age_seconds(name) > FORGOTTEN_SECONDS:
            _outside_transaction(server, f"DROP DATABASE IF EXISTS {name}")


def _age_seconds(name: str) -> float:
    """A UUIDv7 tells when it was made."""
    milliseconds = int(name.removeprefix(SCRATCH)[:12], 16)
    return (int(uuid7().hex[:12], 16) - milliseconds) / 1000


def shape_of(connection: Connection, schemas: Iterable[str] = ()) -> Shape:
    """What is there. schemas: of PostgreSQL, beside the first of the search path."""
    if connection.dialect.name == "sqlite":
        return sqlite_shape(connection)
    default = connection.execute(_SCHEMA).scalar() or "public"
    return postgresql_shape(connection, {default: None, **{name: name for name in schemas}})


def shape_of_models(connection: Connection, metadatas: Iterable[MetaData]) -> Shape:
    """What the models would make. On PostgreSQL in schemas of a transaction that is rolled back.

    connection: not in a transaction, of a database that has the types and functions models use.
    """
    if connection.dialect.name == "sqlite":
        return _sqlite_shape_of_models(metadatas)
    known = _in_order(metadatas)
    schemas = schemas_of(known)
    inside = {name: f"tilth_shadow_{number}" for number, name in enumerate(schemas)}
    transaction = connection.begin()
    try:
        path = connection.exec_driver_sql("SHOW search_path").scalar()
        for name in ("tilth_shadow", *inside.values()):
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        connection.exec_driver_sql(f"SET LOCAL search_path = tilth_shadow, {path}")
        translated: dict[str | None, str | None] = dict(inside.items())
        shadow = connection.execution_options(schema_translate_map=translated)
        made: set[str] = set()
        for metadata in known:
            # One that is lent to the models, as Tilth's own are, is in two of them.
            tables = [each for each in metadata.sorted_tables if each.fullname not in made]
            metadata.create_all(shadow, tables=tables, checkfirst=False)
            made.update(table.fullname for table in tables)
        told = {"tilth_shadow": None, **{inner: name for name, inner in inside.items()}}
        return postgresql_shape(connection, told)
    finally:
        transaction.rollback()
        connection.execution_options(schema_translate_map={})


def _in_order(metadatas: Iterable[MetaData]) -> list[MetaData]:
    """Those that others refer to come first: otherwise a reference leads to what is there already.

    Tilth's own, which are last, come before the models, to whom some of their tables are lent.
    """
    known = list(metadatas)
    ordered: dict[MetaData, None] = {}

    def place(metadata: MetaData, above: tuple[MetaData, ...] = ()) -> None:
        keys = (key for table in metadata.tables.values() for key in table.foreign_keys)
        for other in dict.fromkeys(key.column.table.metadata for key in keys):
            if other in known and other is not metadata and other not in above:
                place(other, (*above, metadata))
        ordered[metadata] = None

    for each in reversed(known):
        place(each)
    return list(ordered)


def _sqlite_shape_of_models(metadatas: Iterable[MetaData]) -> Shape:
    engine = sync_engine("sqlite://")
    try:
        with engine.connect() as connection:
            for metadata in _in_order(metadatas):
                metadata.create_all(connection)
            return sqlite_shape(connection)
    finally:
        engine.dispose()


def schemas_of(metadatas: Iterable[MetaData]) -> list[str]:
    names = {table.schema for metadata in metadatas for table in metadata.tables.values()}
    return sorted(name for name in names if name)
