"""`tilth db …`: which commands and options there are. What they do is imported when it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tilth.cli.options import AppOption, JsonOption, TracebackOption, help_alone


def commands() -> typer.Typer:
    group = typer.Typer(invoke_without_command=True, suggest_commands=False)
    group.callback()(db)
    group.command()(shell)
    group.command()(backup)
    group.command()(restore)
    group.command()(move)
    group.command("reader-role")(reader_role)
    return group


def db(context: typer.Context) -> None:
    """Look after the database of an application."""
    help_alone(context)


def shell(
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Nothing can be changed by mistake.")
    ] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Open a terminal on the database: psql, or sqlite3.

    The password is in no argument that others could see.
    """
    from tilth.cli.db.shell import shell
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        shell(app, read_only=read_only)


def backup(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="Without it: the database's name and the time, here."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file.")] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Copy the database to a file while it is in use.

    The copy is restored once and its rows counted. Exit code 3 when there was nowhere to restore it.
    """
    from tilth.cli.db.backup import backup
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        backup(app, path, replaces=force, as_json=as_json)


def restore(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="That `tilth db backup` has made.")],
    replace: Annotated[
        bool,
        typer.Option("--replace", help="A SQLite database that is there is kept under a new name."),
    ] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Make the database of a backup, all of it or nothing.

    Into one that is not there, or is empty.
    """
    from tilth.cli.db.restore import restore
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        restore(app, path, replaces=replace, as_json=as_json)


def move(
    source: Annotated[str, typer.Argument(metavar="FROM", help="URL of the database there is.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="URL of one without its tables.")],
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Move all rows to another database.

    Tables are those of the application's models. Rows are compared in the end; after a stop, the
    same command goes on. FROM is only read.
    """
    from tilth.cli.db.move import move
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        move(source, target, app, as_json=as_json)


def reader_role(
    name: Annotated[str, typer.Argument(help="Of the role.")],
    schema: Annotated[str, typer.Option(help="Where the views are made.")] = "reporting",
    show: Annotated[
        list[str] | None,
        typer.Option("--show", metavar="heroes.email", help="A field that a policy limits."),
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print what would be done.")] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Make a role of PostgreSQL that reads views, for reports.

    A view of each resource, every row, without the fields that its policy hides or limits to some
    rows. Again, after a change of the models: the views are made anew.
    """
    from tilth.cli.db.reader_role import reader_role
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        reader_role(app, name, schema, show or [], as_sql=sql, as_json=as_json)
