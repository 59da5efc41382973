"""One database → another: made, filled, numbered on, compared. It goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, func, select
from sqlalchemy.exc import DBAPIError

from tilth.errors import CommandError
from tilth.kernel.store.moving.progress import (
    ALL,
    Progress,
    advance,
    begin_progress,
    forget,
    progress_of,
)
from tilth.kernel.store.moving.rows import batches, checksum, insertion, rows_of
from tilth.kernel.store.moving.schema import (
    add_references,
    continue_numbers,
    existing,
    make_tables,
)
from tilth.kit.text import sentence_list

Watch = Callable[[str, int, int], None]
"""Told of a table, how many of its rows are done, and how many there are."""

HISTORY = "alembic_version"
"""What has been migrated moves along."""


@dataclass(frozen=True, slots=True)
class Moved:
    """rows: of each table. was_begun: by an earlier run, which was stopped."""

    rows: Mapping[str, int]
    was_begun: bool


def move(
    source: Engine, target: Engine, tables: Sequence[Table], origin: str, watch: Watch
) -> Moved:
    """The source is only read, as it is at one moment. origin: what it is called, without a password.

    Raises CommandError for a target that is in use, for a row that does not fit, and when both
    do not hold the same in the end. What has been moved stays, and another run goes on.
    """
    with _snapshot(source) as reading, target.connect() as writing:
        _leave_references(writing)
        tables = [*tables, *_history(reading)]
        was_begun, done = _begun(writing, tables, origin)
        here = [table for table in tables if existing(reading, [table])]
        counts = {table.fullname: _count(reading, table) for table in here}
        for table in here:
            told = partial(watch, table.fullname)
            _fill(reading, writing, table, done[table.fullname], counts[table.fullname], told)
        if not done[ALL].is_done:
            _finish(reading, writing, tables, here)
        _compare(reading, writing, here)
        with writing.begin():
            forget(writing)
    return Moved(counts, was_begun)


def _snapshot(source: Engine) -> Connection:
    """All tables as they are at one moment, however long it takes."""
    connection = source.connect()
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
    return connection


def _leave_references(writing: Connection) -> None:
    """SQLite looks at them with every row otherwise, and rows do not come in the order of references."""
    if writing.dialect.name == "sqlite":
        driver = writing.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys = OFF")


def _history(reading: Connection) -> list[Table]:
    table = _version_table()
    return [table] if existing(reading, [table]) else []


def _version_table() -> Table:
    return Table(HISTORY, MetaData(), Column("version_num", String(128), primary_key=True))


def _begun(
    writing: Connection, tables: Sequence[Table], origin: str
) -> tuple[bool, Mapping[str, Progress]]:
    """The tables are made with the first run."""
    with writing.begin():
        found = progress_of(writing)
        if found is None:
            _require_unused(writing, tables)
            make_tables(writing, tables)
            begin_progress(writing, origin, tables)
            found = progress_of(writing)
            assert found is not None
            return False, found[1]
    begun_from, done = found
    if begun_from != origin or done.keys() != {*(table.fullname for table in tables), ALL}:
        raise CommandError(
            f"A move from {begun_from} was begun here and not ended, with other tables or from "
            "elsewhere.",
            "Go on with that one, or delete the target and begin again.",
        )
    return True, done


def _require_unused(writing: Connection, tables: Sequence[Table]) -> None:
    """What is left of a history that was undone is nobody's: it comes from the source."""
    history = _version_table()
    in_use = existing(writing, tables)
    is_migrated = bool(existing(writing, [history]))
    if is_migrated and not writing.scalar(select(func.count()).select_from(history)):
        history.drop(writing)
        in_use = [name for name in in_use if name != HISTORY]
        is_migrated = False
    if not (in_use or is_migrated):
        return
    if is_migrated:
        raise CommandError(
            f"The target has been migrated: it has {sentence_list(dict.fromkeys([*in_use, HISTORY]))}.",
            "A move makes the tables itself and takes what has been migrated along. Name an empty "
            "database, or undo the migrations of this one: tilth migrate down base.",
        )
    raise CommandError(
        f"The target already has {sentence_list(in_use)}.",
        "Name a database without these tables: they are made there.",
    )


def _count(reading: Connection, table: Table) -> int:
    return reading.scalar(select(func.count()).select_from(table)) or 0


def _fill(
    reading: Connection,
    writing: Connection,
    table: Table,
    done: Progress,
    total: int,
    watch: Callable[[int, int], None],
) -> None:
    """A table without a key has no order to go on in, so it is filled in one transaction."""
    rows = done.rows
    if not done.is_done and table.primary_key.columns:
        for batch in batches(reading, rows_of(table, after=rows)):
            with writing.begin():
                _insert(writing, table, batch)
                rows += len(batch)
                advance(writing, table.fullname, rows)
            watch(rows, total)
    with writing.begin():
        if not done.is_done and not table.primary_key.columns:
            for batch in batches(reading, rows_of(table)):
                _insert(writing, table, batch)
                rows += len(batch)
                watch(rows, total)
        advance(writing, table.fullname, rows, is_done=True)
    watch(total, total)


def _insert(writing: Connection, table: Table, batch: Sequence[Mapping[str, Any]]) -> None:
    try:
        with writing.begin_nested():
            writing.execute(insertion(table), batch)
    except DBAPIError as exc:
        raise _misfit(writing, table, batch) from exc


def _misfit(writing: Connection, table: Table, batch: Sequence[Mapping[str, Any]]) -> CommandError:
    """The first row of the batch that does not fit, with what the database says of it."""
    for row in batch:
        try:
            with writing.begin_nested():
                writing.execute(insertion(table), row)
        except DBAPIError as exc:
            key = {column.name: row[column.key] for column in table.primary_key.columns}
            said = str(exc.orig).strip().partition("\n")[0]
            return CommandError(
                f"A row of {table.fullname} does not fit ({key or 'it has no key'}): {said}",
                "Change it where it comes from, and move again: it goes on here.",
            )
    return CommandError(f"Rows of {table.fullname} do not fit together.", "Look for repeated keys.")


def _finish(
    reading: Connection, writing: Connection, tables: Sequence[Table], here: Sequence[Table]
) -> None:
    with writing.begin():
        try:
            add_references(writing, tables)
        except DBAPIError as exc:
            said = str(exc.orig).strip().replace("\n", " ")
            raise CommandError(
                f"Rows refer to rows that are not there, already where they come from: {said}",
                "Mend or delete them there, delete the target, and move again.",
            ) from exc
        continue_numbers(reading, writing, here)
        advance(writing, ALL, 0, is_done=True)


def _compare(reading: Connection, writing: Connection, tables: Sequence[Table]) -> None:
    """Reads everything again, on both sides."""
    different = []
    for table in tables:
        there, here = _summed(reading, table), _summed(writing, table)
        if there != here:
            different.append(f"{table.fullname} ({there[0]} rows there, {here[0]} here)")
    writing.rollback()
    if different:
        raise CommandError(
            f"Both do not hold the same: {sentence_list(different)}.",
            "The source may have changed between two runs: delete the target and move again.",
        )


def _summed(connection: Connection, table: Table) -> tuple[int, int]:
    """How many rows, and the sum of their checksums."""
    rows = total = 0
    for batch in batches(connection, rows_of(table)):
        rows += len(batch)
        total += sum(map(checksum, batch))
    return rows, total
