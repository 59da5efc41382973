"""The command line: which commands and options there are. What they do is imported when it is asked."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

APP_HELP = (
    "FILE[:app], pkg.mod:app or a database URL. "
    "Without it: what pyproject.toml names under [tool.tilth] app or [tool.fastapi] entrypoint, "
    "else app.py, main.py or the only file here that makes an application."
)

AppOption = Annotated[str | None, typer.Option("--app", metavar="FILE[:app]", help=APP_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with one JSON document.")]
TracebackOption = Annotated[
    bool, typer.Option("--traceback", help="Show the whole traceback of an error in your code.")
]


def command_line() -> typer.Typer:
    """Boxes and colours only where somebody sees them."""
    cli = typer.Typer(
        name="tilth",
        no_args_is_help=True,
        rich_markup_mode="rich" if sys.stderr.isatty() else None,
        pretty_exceptions_enable=False,
    )
    cli.callback()(tilth)
    cli.command()(check)
    return cli


def main() -> None:
    command_line()(prog_name="tilth")


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        typer.echo(f"tilth {version('tilth')}")
        raise typer.Exit


def tilth(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    """Your models in, a whole backend out."""


def check(
    app: AppOption = None, as_json: JsonOption = False, traceback: TracebackOption = False
) -> None:
    """Tell every mistake in an application at once, with its place and what to do.

    Exit code 1 when there is an error, 0 when there are only warnings.
    """
    from tilth.cli.check import check
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        check(app, as_json=as_json)


if __name__ == "__main__":
    main()
