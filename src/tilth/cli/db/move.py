"""All rows of one database → another, with the tables of an application."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from sqlalchemy import Table
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from tilth.cli.actor import USAGE
from tilth.cli.discover import application_for
from tilth.cli.opening import tables_of
from tilth.cli.talk import counted, print_document, say, stderr
from tilth.errors import CommandError
from tilth.kernel.store.engine import database_url, refuse_mariadb
from tilth.kernel.store.moving.move import Moved, Watch
from tilth.kernel.store.moving.move import move as move_rows
from tilth.kernel.store.sync import existing_engine, explain_connection_error, sync_engine


def move(source: str, target: str, named: str | None, *, as_json: bool) -> None:
    """Raises CommandError before anything is made in a target that is in use."""
    here, there = database_url(source), database_url(target)
    refuse_mariadb(there, "Moving to it is")
    if here == there:
        raise CommandError("Both are the same database.", "Name another to move to.", USAGE)
    backend = application_for(named).freeze()
    homes = dict.fromkeys(table.metadata for table in tables_of(backend))
    found = [t for home in homes for t in home.sorted_tables if not t.info.get("tilth_view")]
    # What is lent to the models is in the metadata of both.
    tables = list({table.fullname: table for table in found}.values())
    with _watched() as watch:
        moved = _moved(here, there, tables, watch)
    if as_json:
        print_document({"rows": dict(moved.rows), "was_begun": moved.was_begun})
        return
    rows, count = sum(moved.rows.values()), len(moved.rows)
    again = ", going on with what was begun before" if moved.was_begun else ""
    say(f"Moved {counted(rows, 'row')} of {counted(count, 'table')}{again}; both hold the same.")


def _moved(here: URL, there: URL, tables: list[Table], watch: Watch) -> Moved:
    label = here.set(query={}, password=None).render_as_string()
    source, target = existing_engine(here), sync_engine(there)
    try:
        try:
            with source.connect():
                pass
        except SQLAlchemyError as exc:
            raise explain_connection_error(exc, here) from exc
        try:
            return move_rows(source, target, tables, label, watch)
        except SQLAlchemyError as exc:
            raise explain_connection_error(exc, there) from exc
    finally:
        source.dispose()
        target.dispose()


@contextmanager
def _watched() -> Iterator[Watch]:
    """A bar for each table, where somebody sees it."""
    page = stderr()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=page, disable=not page.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def watch(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = progress.add_task(table, total=total)
            progress.update(tasks[table], completed=done)

        yield watch
