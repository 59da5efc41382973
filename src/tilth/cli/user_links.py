"""Links by which somebody makes an account: printed, or sent to an address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer

from tilth.cli.actor import USAGE
from tilth.cli.talk import print_document, say
from tilth.cli.user import with_accounts
from tilth.errors import CommandError, Invalid
from tilth.feature import Backend
from tilth.features.auth.pages.outbox import PATH, outbox_of
from tilth.features.auth.service import invitations, names
from tilth.features.auth.service.accounts import Accounts


def wanted_link(
    name: str | None, email: str | None, *, link: bool, mail: bool, password_stdin: bool
) -> bool:
    """Whether a link is asked for. Raises CommandError for options that contradict each other."""
    if not (link or mail):
        return False
    if link and mail:
        raise CommandError("A link is either printed or sent.", "Say --link or --mail.", USAGE)
    if email is not None or password_stdin:
        hint = "Leave --email and --password-stdin out."
        raise CommandError("Whoever follows a link says that themselves.", hint, USAGE)
    if link and name is not None:
        hint = f"Leave {name} out, or make the account without --link."
        raise CommandError("Whoever follows a link chooses a name.", hint, USAGE)
    if mail and (name is None or "@" not in name):
        raise CommandError("Nobody can be sent a mail without an address.", "NAME@DOMAIN", USAGE)
    return True


def invite(named: str | None, address: str | None, roles: Sequence[str], *, as_json: bool) -> None:
    """address: where the link is sent; None prints it. It is the only thing on standard output."""
    if address is not None:
        _send(named, address, roles)
        minutes = invitations.MAILED_HOURS * 60
        if as_json:
            print_document({"sent_to": address, "minutes": minutes})
        say(f"{address} is invited, for {invitations.MAILED_HOURS} hours.")
        return
    link = with_accounts(named, lambda accounts: invitations.invitation_link(accounts, roles))
    if as_json:
        print_document({"link": link, "minutes": invitations.LINK_MINUTES})
    else:
        typer.echo(link)
        say(f"Good once, for {invitations.LINK_MINUTES} minutes.")


def first_admin_link(backend: Backend, base: str) -> str | None:
    """Of an application that is about to be served; None where nobody signs in, or a superuser is
    there already.
    """
    accounts = backend.states.get("auth")
    if not isinstance(accounts, Accounts):
        return None

    async def made() -> str | None:
        try:
            return await invitations.first_admin_link(accounts, base)
        finally:
            # The server begins with connections of its own.
            await accounts.units.close()

    return asyncio.run(made())


def outbox_path(backend: Backend) -> str | None:
    """Where the mails are that an application in development does not send."""
    accounts = backend.states.get("auth")
    is_there = isinstance(accounts, Accounts) and outbox_of(accounts) is not None
    return PATH if is_there else None


def _send(named: str | None, address: str, roles: Sequence[str]) -> None:
    try:
        wanted = names.email(address)
        with_accounts(named, lambda accounts: invitations.invite_by_mail(accounts, wanted, roles))
    except Invalid as exc:
        raise CommandError(" ".join(fault.detail for fault in exc.faults)) from exc
    except OSError as exc:
        told = f"The mail server did not take the mail: {type(exc).__name__}."
        raise CommandError(told, "See TILTH_MAIL_URL, then invite again.") from exc
