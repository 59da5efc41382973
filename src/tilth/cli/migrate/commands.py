"""tilth migrate: which commands and options there are. What they do is imported when it is asked."""

from __future__ import annotations

from typing import Annotated

import typer

from tilth.cli.options import AppOption, JsonOption, TracebackOption, help_alone

MessageOption = Annotated[str, typer.Option("--message", "-m", help="What it is for.")]
AssuredOption = Annotated[
    str | None, typer.Option("--assured", metavar="REASON", help="Why what is refused is right.")
]


def migrate_commands() -> typer.Typer:
    cli = typer.Typer(invoke_without_command=True, suggest_commands=False)
    cli.callback()(migrate)
    for command in (new, up, down, plan, status, check, merge, rebase, baseline, squash):
        cli.command()(command)
    return cli


def migrate(context: typer.Context) -> None:
    """Change the tables as the models change."""
    help_alone(context)


def new(
    message: MessageOption,
    rename: Annotated[
        list[str] | None, typer.Option(metavar="OLD:NEW", help="hero.nick:nickname, hero:heroes.")
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="hero.nick or hero: its values may go.")
    ] = None,
    fill: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="hero.age=0: for the rows there are."),
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="A revision for you to fill in.")] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Write what has changed in the models as a revision.

    The revisions there are, are tried in a scratch database. What is renamed is asked.
    """
    from tilth.cli.migrate.new import new
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        new(
            app,
            message,
            renames=rename or (),
            drops=drop or (),
            fills=fill or (),
            is_empty=empty,
            as_json=as_json,
        )


def up(
    target: Annotated[str, typer.Argument(help="A revision, or +1.")] = "heads",
    assured: AssuredOption = None,
    contract: Annotated[
        bool, typer.Option("--contract", help="The new code runs everywhere: old columns may go.")
    ] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Apply what is pending.

    Each revision whole or not at all. Any number of processes may do it at once.
    """
    from tilth.cli.migrate.apply import up
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        up(app, target, assured=assured, with_contract=contract, as_json=as_json)


def down(
    target: Annotated[str, typer.Argument(help="A revision, -2, or base.")] = "-1",
    assured: AssuredOption = None,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Undo the last revision, or all after one.

    What would lose values is refused unless --assured says why it is right.
    """
    from tilth.cli.migrate.apply import down
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        down(app, target, assured=assured, as_json=as_json)


def plan(
    target: Annotated[str, typer.Argument(help="A revision, or +1.")] = "heads",
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Tell what up would do.

    Each statement with its lock, rows, rewriting, time, and what is dangerous about it.
    Exit code 1 when up would refuse it.
    """
    from tilth.cli.migrate.plan import plan
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        plan(app, target, as_json=as_json)


def status(
    app: AppOption = None, as_json: JsonOption = False, traceback: TracebackOption = False
) -> None:
    """Tell what is applied, what is pending, and whether database or models have drifted.

    Exit code 0 whatever there is to tell; check is what fails in CI.
    """
    from tilth.cli.migrate.status import status
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        status(app, as_json=as_json)


def check(
    seal: Annotated[
        bool, typer.Option("--seal", help="Files that were edited are right as they are.")
    ] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Prove the history in a scratch database.

    One head, no edited file, the models are what it makes, and each revision can be undone and
    made again without losing a row. Exit code 1 when something does not hold.
    """
    from tilth.cli.migrate.check import check
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        check(app, is_sealed=seal, as_json=as_json)


def merge(
    message: MessageOption = "merge",
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Join two branches whose revisions are applied somewhere."""
    from tilth.cli.migrate.branches import merge
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        merge(app, message, as_json=as_json)


def rebase(
    revision: Annotated[
        str | None, typer.Argument(help="First one of the branch to move; else the newer branch.")
    ] = None,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Put your revisions behind those of the others."""
    from tilth.cli.migrate.branches import rebase
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        rebase(app, revision, as_json=as_json)


def baseline(
    target: Annotated[str, typer.Argument(help="The revision that the database is at.")] = "heads",
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Say that a database which has its tables already is at a revision.

    Refused when it does not look as that revision makes it.
    """
    from tilth.cli.migrate.branches import baseline
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        baseline(app, target, as_json=as_json)


def squash(
    message: MessageOption = "squashed",
    until: Annotated[
        str | None, typer.Option(help="The last revision to take in; all when not given.")
    ] = None,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Make the oldest revisions into one that makes the same tables."""
    from tilth.cli.migrate.branches import squash
    from tilth.cli.talk import telling_failures

    with telling_failures(as_json, traceback):
        squash(app, message, until, as_json=as_json)
