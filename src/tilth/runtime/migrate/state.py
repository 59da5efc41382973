"""A database beside its revisions → what is applied, what is pending, and what nobody wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tilth.kernel.store.drivers.sqlite_file import sqlite_file_from
from tilth.kernel.store.sync import sync_engine
from tilth.runtime.migrate.checksums import edited
from tilth.runtime.migrate.context import heads_of
from tilth.runtime.migrate.databases import schemas_of, shape_of
from tilth.runtime.migrate.history import History, ancestors
from tilth.runtime.migrate.log import Entry, read_log
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.run import Phase, fingerprint, name_of, phase_of

_INVALID = text("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid ORDER BY 1")
_UNPROVEN = text(
    "SELECT conrelid::regclass || '.' || conname FROM pg_constraint WHERE NOT convalidated ORDER BY 1"
)


@dataclass(frozen=True, slots=True)
class RevisionState:
    """applied_at: None when it is pending, or was applied by Alembic itself."""

    revision: str
    name: str
    phase: Phase
    is_applied: bool
    applied_at: datetime | None
    is_edited: bool


@dataclass(frozen=True, slots=True)
class State:
    """unknown: heads of the database that no file has. has_drifted: None when nobody can say.

    loose: indexes that are not valid, rules that are not known to hold for all rows.
    """

    revisions: tuple[RevisionState, ...]
    unknown: tuple[str, ...] = ()
    has_drifted: bool | None = None
    loose: tuple[str, ...] = ()

    @property
    def pending(self) -> int:
        return sum(not each.is_applied for each in self.revisions)


def read_state(project: Project, history: History) -> State:
    """Reads only. A SQLite file that is not there has nothing applied."""
    if project.url.drivername == "sqlite":
        file = sqlite_file_from(project.url)
        if not file.in_memory and not Path(file.path).exists():
            return State(_states(history, (), {}))
    engine = sync_engine(project.url, read_only=project.url.drivername != "sqlite")
    try:
        return _read(project, history, engine)
    finally:
        engine.dispose()


def _read(project: Project, history: History, engine: Engine) -> State:
    with engine.connect() as connection:
        heads = heads_of(project, connection)
        log = read_log(connection)
        known = {each.revision for each in history.scripts}
        return State(
            _states(history, heads, log),
            tuple(head for head in heads if head not in known),
            _has_drifted(
                project, heads, log.get(heads[0]) if len(heads) == 1 else None, connection
            ),
            tuple(_loose(connection)),
        )


def _states(
    history: History, heads: Sequence[str], log: Mapping[str, Entry]
) -> tuple[RevisionState, ...]:
    applied = ancestors(history.scripts, heads)
    checksums = {name: entry.checksum for name, entry in log.items() if name in applied}
    changed = {each.revision for each in edited(checksums, history.scripts)}
    return tuple(
        RevisionState(
            each.revision,
            name_of(each),
            phase_of(each),
            each.revision in applied,
            log[each.revision].applied_at if each.revision in log else None,
            each.revision in changed,
        )
        for each in history.scripts
    )


def _has_drifted(
    project: Project, heads: Sequence[str], entry: Entry | None, connection: Connection
) -> bool | None:
    if entry is None or entry.shape is None:
        return None
    shape = shape_of(connection, schemas_of(project.metadatas)).without(project.own_tables)
    return fingerprint(shape) != entry.shape


def _loose(connection: Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        return []
    try:
        invalid = [f"index {name} is not valid" for name in connection.scalars(_INVALID)]
        unproven = [f"{name} is not validated" for name in connection.scalars(_UNPROVEN)]
    except DBAPIError:
        return []
    return invalid + unproven
