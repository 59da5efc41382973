"""Options and arguments that several commands have, and what a group of commands says."""

from __future__ import annotations

from typing import Annotated

import typer

APP_HELP = (
    "FILE[:app], pkg.mod:app or a database URL. "
    "Without it: what pyproject.toml names under [tool.tilth] app or [tool.fastapi] entrypoint, "
    "else app.py, main.py or the only file here that makes an application."
)

AppOption = Annotated[str | None, typer.Option("--app", metavar="FILE[:app]", help=APP_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
HostOption = Annotated[str, typer.Option(help="Address to listen on.")]
FileArgument = Annotated[
    str | None, typer.Argument(metavar="FILE[:app]", help="The same as --app.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")]
SchemaOption = Annotated[
    str | None, typer.Option(help="Of PostgreSQL, if not the first of the search path.")
]
ActorOption = Annotated[
    str, typer.Option("--actor", help="anonymous, an id, or id=7,roles=admin+editor,tenant=acme.")
]
TracebackOption = Annotated[
    bool, typer.Option("--traceback", help="Show the whole traceback of an error in your code.")
]


def help_alone(context: typer.Context) -> None:
    """Of a command that only has others below it."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)
