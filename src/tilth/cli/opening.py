"""An application → one that can be served: checked, its tables there, its processes in agreement."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import environ
from pathlib import Path

from sqlalchemy import Engine, FromClause, Table
from sqlalchemy.exc import SQLAlchemyError

from tilth.app import Application
from tilth.cli.migrate.place import may_be_migrated
from tilth.cli.talk import findings_text, shown_path, stderr
from tilth.errors import CommandError, Finding, SetupError
from tilth.feature import Backend
from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.sync import (
    create_missing_tables,
    explain_connection_error,
    missing_columns,
    missing_tables,
    sync_engine,
)
from tilth.kit.text import sentence_list

SECRET_KEY = "TILTH_SECRET_KEY"
MIGRATED = ("sqlite", "postgresql")
BEGIN_MIGRATIONS = """\
To keep its rows, let migrations change it from now on.
    Take the change of the models back:  tilth migrate new -m "first"; tilth migrate baseline
    Make the change again:               tilth migrate new -m "…"; tilth migrate up"""


def checked(app: Application, *, to_serve: bool = False) -> Backend:
    """Warnings are told. Raises SetupError with every mistake. to_serve: those of the settings, too."""
    warnings = [finding for finding in app.check() if finding.level != "error"]
    backend = app.servable() if to_serve else app.freeze()
    if warnings:
        stderr().print(findings_text(warnings))
    return backend


def create_tables(backend: Backend) -> list[str]:
    """Makes the tables that are not there yet and changes nothing else; answers their names.

    Columns that tables lack are told: every request that reads them will fail.
    """
    tables = tables_of(backend)
    with _connecting(backend, read_only=False) as engine:
        # Tilth's own first: the models may refer to them.
        metadatas = dict.fromkeys([*backend.own, *(table.metadata for table in tables)])
        made = create_missing_tables(engine, metadatas)
        lacking = missing_columns(engine, tables)
    if lacking:
        stderr().print(findings_text([_drifted(backend.store.database, lacking)]))
    return made


def tell_what_is_missing(backend: Backend) -> None:
    """Where only migrations may change the database, and all of them are applied."""
    tables = tables_of(backend)
    with _connecting(backend, read_only=True) as engine:
        lacking = missing_tables(engine, tables)
        lacking += missing_columns(engine, [each for each in tables if str(each) not in lacking])
    if lacking:
        finding = Finding(
            "database.behind_models",
            backend.store.database.label,
            f"has no {sentence_list(lacking)}, which the models name, and no migration makes it.",
            'Write one: tilth migrate new -m "…"',
            "warning",
        )
        stderr().print(findings_text([finding]))


def _drifted(database: Database, lacking: list[str]) -> Finding:
    return Finding(
        "database.missing_column",
        database.label,
        f"has no column {sentence_list(lacking)}, which the models name.",
        _way_on(database, lacking[0]),
        "warning",
    )


def _way_on(database: Database, column: str) -> str:
    """What keeps the rows comes first: whoever follows the first advice must not lose any."""
    if database.dialect.name not in MIGRATED:
        table, _, name = column.rpartition(".")
        return f"Add what is missing: ALTER TABLE {table} ADD COLUMN {name} …"
    file = database.url.database if database.dialect.name == "sqlite" else None
    deleting = (
        f"\n    If none of its rows are needed, delete {shown_path(Path(file))}." if file else ""
    )
    return f"{BEGIN_MIGRATIONS}{deleting}"


def require_tables(backend: Backend, target: str) -> None:
    """Raises CommandError when the database is not there or lacks a table. Changes nothing."""
    with _connecting(backend, read_only=True) as engine:
        missing = missing_tables(engine, tables_of(backend))
    if missing:
        label = backend.store.database.label
        way = f"Create what is missing: tilth create-tables {target}".rstrip()
        if may_be_migrated(target or None):
            way = "Its migrations make them: tilth migrate up"
        raise CommandError(
            f"{label} has no table {sentence_list(missing)}.",
            f"Serving never changes a database. {way}",
        )


def share_secret_key() -> bool:
    """Worker processes, and those that follow them, must understand each other's page cursors.

    True when there was no key, and one was made that ends with this process.
    """
    if environ.get(SECRET_KEY):
        return False
    environ[SECRET_KEY] = secrets.token_hex(32)
    return True


def require_lasting_key(app: Application) -> None:
    """Raises SetupError when it is not enough that the key was made for this process."""
    refusals = app.refusals(replace(app.settings, secret_key=None))
    if refusals:
        raise SetupError(*refusals)


@contextmanager
def _connecting(backend: Backend, *, read_only: bool) -> Iterator[Engine]:
    """Whatever goes wrong with the database is told in one sentence."""
    url = backend.store.database.url
    engine = sync_engine(url, read_only=read_only)
    try:
        yield engine
    except SQLAlchemyError as exc:
        raise explain_connection_error(exc, url) from exc
    finally:
        engine.dispose()


def tables_of(backend: Backend) -> list[Table]:
    """Those that rows come from, those that link them, and Tilth's own where anything is written."""
    sources: list[FromClause] = []
    for resource in backend.schema.values():
        sources += resource.tables
        links = (relation.join.secondary for relation in resource.relations.values())
        sources += [link.element for link in links if link is not None]
    for metadata in backend.own:
        sources += metadata.sorted_tables
    return list(_without_repeats(sources))


def _without_repeats(sources: Iterable[FromClause]) -> Iterator[Table]:
    return (source for source in dict.fromkeys(sources) if isinstance(source, Table))
