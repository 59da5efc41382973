"""`tilth user …`: which commands and options there are. What they do is imported when it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tilth.cli.options import AppOption, JsonOption, TracebackOption, help_alone

NameArgument = Annotated[str, typer.Argument(help="Username, e-mail address or telephone number.")]


def commands() -> typer.Typer:
    group = typer.Typer(invoke_without_command=True, suggest_commands=False)
    group.callback()(user)
    group.command("list")(list_)
    group.command()(create)
    group.command("import")(import_)
    group.command()(role)
    group.command()(disable)
    group.command()(enable)
    group.command()(sessions)
    return group


def user(context: typer.Context) -> None:
    """Look after the accounts of an application."""
    help_alone(context)


def create(
    name: Annotated[str | None, typer.Argument(help="Username, or e-mail address.")] = None,
    email: Annotated[str | None, typer.Option(help="Beside a username.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    link: Annotated[
        bool, typer.Option("--link", help="Print a link instead, for whoever is to have it.")
    ] = False,
    mail: Annotated[
        bool, typer.Option("--mail", help="Send the link to the address that NAME is.")
    ] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Make an account.

    The password is asked for, or left to who follows a link that is good once: `--link` for 30
    minutes, `--mail` for a day. `--role superuser` may everything that a permission stands for.
    """
    from tilth.cli.talk import telling_failures
    from tilth.cli.user import create
    from tilth.cli.user_links import invite, wanted_link

    with telling_failures(as_json, traceback):
        if wanted_link(name, email, link=link, mail=mail, password_stdin=password_stdin):
            invite(app, name, role or [], as_json=as_json)
        else:
            create(app, name, role or [], email=email, from_stdin=password_stdin, as_json=as_json)


def list_(
    search: Annotated[str | None, typer.Argument(help="Part of a name.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most that are shown.")] = 100,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """List accounts, the oldest first."""
    from tilth.cli.talk import telling_failures
    from tilth.cli.user import list_

    with telling_failures(as_json, traceback):
        list_(app, search, limit, as_json=as_json)


def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header, or lines of JSON.")],
    salt_last: Annotated[
        bool, typer.Option("--salt-last", help="Bare digests are of password + salt.")
    ] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Make accounts with the hashes they had elsewhere, all of them or none.

    Columns: username, email, phone, hash, roles, email_verified. Hashes: argon2, bcrypt, scrypt,
    PBKDF2; digests of MD5 and SHA are hashed once more. Each is made anew at its next sign-in.
    """
    from tilth.cli.talk import telling_failures
    from tilth.cli.user_import import import_

    with telling_failures(as_json, traceback):
        import_(app, file, salt_last=salt_last, as_json=as_json)


def role(
    name: NameArgument,
    add: Annotated[list[str] | None, typer.Option("--add", help="May be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="May be repeated.")] = None,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Give roles to an account, or take them."""
    from tilth.cli.talk import telling_failures
    from tilth.cli.user import role

    with telling_failures(as_json, traceback):
        role(app, name, add or [], remove or [], as_json=as_json)


def disable(
    name: NameArgument,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Keep an account from signing in, and sign it out everywhere."""
    from tilth.cli.talk import telling_failures
    from tilth.cli.user import disable

    with telling_failures(as_json, traceback):
        disable(app, name, is_disabled=True, as_json=as_json)


def enable(
    name: NameArgument,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Let a disabled account sign in again."""
    from tilth.cli.talk import telling_failures
    from tilth.cli.user import disable

    with telling_failures(as_json, traceback):
        disable(app, name, is_disabled=False, as_json=as_json)


def sessions(
    name: NameArgument,
    revoke: Annotated[bool, typer.Option("--revoke", help="End all of them.")] = False,
    app: AppOption = None,
    as_json: JsonOption = False,
    traceback: TracebackOption = False,
) -> None:
    """Show where an account is signed in.

    `--revoke` ends its tokens, too.
    """
    from tilth.cli.talk import telling_failures
    from tilth.cli.user import sessions

    with telling_failures(as_json, traceback):
        sessions(app, name, revoke=revoke, as_json=as_json)
