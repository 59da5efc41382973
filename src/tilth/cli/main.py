"""The command line: which commands and options there are. What they do is imported when it is asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tilth.cli import user_commands
from tilth.cli.db import commands as db_commands
from tilth.cli.migrate.commands import migrate_commands
from tilth.cli.options import (
    ActorOption,
    AppOption,
    FileArgument,
    HostOption,
    JsonOption,
    PortOption,
    SchemaOption,
    TracebackOption,
    help_alone,
)


def command_line() -> typer.Typer:
    """Boxes and colours only where somebody sees them."""
    cli = typer.Typer(
        name="tilth",
        invoke_without_command=True,
        suggest_commands=False,
        rich_markup_mode="rich" if sys.stderr.isatty() else None,
        pretty_exceptions_enable=False,
    )
    cli.callback()(tilth)
    for command in (dev, serve, create_tables, show, check, doctor, openapi, models, wire):
        cli.command()(command)
    policies = typer.Typer(invoke_without_command=True, suggest_commands=False)
    policies.callback()(policy)
    policies.command()(explain)
    cli.add_typer(policies, name="policy")
    cli.add_typer(migrate_commands(), name="migrate")
    cli.add_typer(user_commands.commands(), name="user")
    cli.add_typer(db_commands.commands(), name="db")
    return cli


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code. A mistake in the arguments is told as a failure of a command is."""
    try:
        code = command_line()(list(arguments), prog_name="tilth", standalone_mode=False)
    except typer.TyperException as error:
        from tilth.cli.talk import end_with
        from tilth.cli.usage import usage_error

        return end_with(usage_error(error), as_json="--json" in arguments)
    return int(code or 0)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"tilth {version('tilth')}")
        raise typer.Exit


def tilth(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    """Your models in, a whole backend out."""
    help_alone(context)


def policy(context: typer.Context) -> None:
    """Ask what policies decide."""
    help_alone(context)


def dev(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE[:app]", help="Also pkg.mod:app.")
    ] = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    reload: Annotated[bool, typer.Option(help="Start again when a Python file changes.")] = True,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Serve an application while you write it.

    It is checked, its missing tables are created, and it starts again when a file changes.
    A file with models and no application is served too, to this machine only.
    """
    from tilth.cli.dev import dev
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        dev(file, host=host, port=port, reload=reload, as_json=as_json, with_traceback=traceback)


def serve(
    source: Annotated[
        str | None,
        typer.Argument(metavar="FILE[:app] | DATABASE_URL", help="Also pkg.mod:app."),
    ] = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    public: Annotated[
        bool, typer.Option("--public", help="Let anyone read the database, without a token.")
    ] = False,
    schema: SchemaOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Serve an application, or a database with no code.

    The database is never changed. Without an application it is served to whoever has the token that is made and shown once.
    """
    from tilth.cli.serve import serve
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        serve(
            source,
            host=host,
            port=port,
            workers=workers,
            is_public=public,
            schema=schema,
            as_json=as_json,
        )


def show(
    resource: Annotated[str | None, typer.Argument(help="Name in URLs, or class.")] = None,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Show all resources, or one in full.

    In full: fields, relations, routes, policy, and the SQL of its list.
    """
    from tilth.cli.show import show_all, show_one
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        if resource is None:
            show_all(app, as_json=as_json)
        else:
            show_one(app, resource, as_json=as_json)


def check(
    file: FileArgument = None,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Tell every mistake in an application.

    All at once, with the place and what to do. Exit code 1 when there is an error,
    0 when there are only warnings.
    """
    from tilth.cli.check import check
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        check(app or file, as_json=as_json)


def doctor(
    file: FileArgument = None,
    auth: Annotated[bool, typer.Option("--auth", help="Only what concerns signing in.")] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Tell what keeps an application from serving in production.

    With the settings of this environment: secrets, addresses, mail, proxies, CORS, policies.
    Exit code 1 when there is an error.
    """
    from tilth.cli.check import doctor
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        doctor(app or file, only_auth=auth, as_json=as_json)


def create_tables(
    file: FileArgument = None,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Create the tables that are missing.

    Those of the models and Tilth's own. Nothing that is there is changed.
    """
    from tilth.cli.create_tables import create
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        create(app or file, as_json=as_json)


def explain(
    actor: Annotated[
        str, typer.Argument(help="anonymous, an account or id, or id=7,roles=admin+editor.")
    ],
    action: Annotated[
        str, typer.Argument(metavar="read|update|delete", help="What they want to do.")
    ],
    row: Annotated[str, typer.Argument(metavar="RESOURCE/KEY", help="As in URLs: heroes/7")],
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Tell why somebody may read a row.

    Or may not. Exit code 0 for any decision.
    """
    from tilth.cli.explain import explain
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        explain(app, actor, action, row, as_json=as_json)


def openapi(
    file: FileArgument = None,
    app: AppOption = None,
    actor: ActorOption = "anonymous",
    output: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Print the OpenAPI document.

    It holds only what the actor may read.
    """
    from tilth.cli.openapi import openapi
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        openapi(app or file, actor, output, as_json=as_json)


def models(
    database_url: Annotated[str, typer.Argument(metavar="DATABASE_URL", help="What to read.")],
    schema: SchemaOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Print models for an existing database.

    A Python file with a SQLAlchemy class for each table. It takes a few seconds.
    """
    from tilth.cli.model_file import print_models
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        print_models(database_url, schema, as_json=as_json)


def wire(
    resource: Annotated[str, typer.Argument(help="Name in URLs, or class.")],
    key: Annotated[str, typer.Argument(help="As in URLs: 7")],
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Show what one object is on its way from the database.

    PostgreSQL: the messages and bytes between driver and server. SQLite: the SQL as it was run,
    its plan, and what is stored. Values of secret and masked columns are blackened.
    """
    from tilth.cli.talk import telling_failures
    from tilth.cli.wire import wire

    with telling_failures(as_json, traceback):
        wire(app, resource, key, as_json=as_json)


if __name__ == "__main__":
    main()
