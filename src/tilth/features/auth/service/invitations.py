"""Links by which somebody makes an account: the first one, with all rights, and those of invited people.

A link is made where the application runs, is good once, and leaves name and password to whoever follows it:
there is no default password that anybody could know.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tilth.features.auth.models.audit import NOWHERE, Origin, record
from tilth.features.auth.models.counters import Rate, counter_key, take
from tilth.features.auth.models.roles import grant, is_held
from tilth.features.auth.models.secrets import NewSecret, Secret, consume, issue
from tilth.features.auth.models.users import Account, account_by_id, is_taken, new_account
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.administration import check_roles
from tilth.features.auth.service.guard import admit, milliseconds
from tilth.features.auth.service.names import Name
from tilth.features.auth.service.sign_up import (
    Wish,
    check_password,
    names_from,
    stale_link,
    taken,
)
from tilth.kernel.policy.actor import SUPERUSER
from tilth.kit.secrets import new_token, token_digest

LINK_PATH = "/sign-up/invited"
LINK_MINUTES = 30
MAILED_HOURS = 24

ONE_BY_ONE = Rate("first admin", 600, 60)


async def first_admin_link(accounts: Accounts, base: str) -> str | None:
    """To the page on which the first superuser is made; None when there is one.

    base: where this server is reached, when no public URL is configured.
    """
    token = new_token()

    def made(session: Session, now: datetime) -> bool:
        if is_held(session, SUPERUSER):
            return False
        ends = now + timedelta(minutes=LINK_MINUTES)
        told = {"roles": [SUPERUSER]}
        issue(session, NewSecret("first_admin", token_digest(token), ends, data=told), now)
        record(session, "first_admin.link_made", now, NOWHERE)
        return True

    if not await accounts.run(made):
        return None
    public = accounts.backend.settings.web.public_url
    return accounts.letters.link(LINK_PATH, token, base=public or base)


async def invitation_link(accounts: Accounts, roles: Sequence[str]) -> str:
    """For an account with these roles, whoever follows it. Raises CommandError for an unknown role."""
    token = new_token()
    await _invite(accounts, token, roles, None, timedelta(minutes=LINK_MINUTES))
    return accounts.letters.link(LINK_PATH, token)


async def invite_by_mail(accounts: Accounts, address: Name, roles: Sequence[str]) -> None:
    """The account will have this address, confirmed by the link that was sent to it.

    Raises CommandError, Invalid when the address has an account, and OSError when the mail server
    does not take the mail.
    """
    token = new_token()
    await _invite(accounts, token, roles, address, timedelta(hours=MAILED_HOURS))
    link = accounts.letters.link(LINK_PATH, token)
    letter = accounts.letters.write("invitation", address.shown, link=link, hours=MAILED_HOURS)
    await accounts.postman.deliver(letter)


async def accept(
    accounts: Accounts, token: str, username: str, password: str, origin: Origin
) -> Account:
    """The account that a link stands for, under a name and a password that its owner chooses.

    Raises BadRequest for a link that is not good any more, Invalid for name and password, which
    leaves the link as it was, and TooManyRequests.
    """
    limits = accounts.options.limits
    admission = await accounts.run(lambda s, now: admit(s, limits, origin, now, cost="sign-up"))
    admission.check()
    # No address but that of the invitation: a stranger's that was mistyped could have the password
    # replaced.
    wanted = names_from(Wish(username, None, None, password))
    check_password(accounts, password, wanted)
    hash_ = await accounts.hashing.hash(password)

    def accepted(session: Session, now: datetime) -> Account | None:
        found = _followed(session, token_digest(token), now)
        if found is None:
            return None
        names = [*wanted, *_addresses_in(found)]
        # Raises Invalid, and with the transaction the link is as it was.
        check_password(accounts, password, names)
        made = _made(session, names, hash_, now)
        roles = found.data["roles"]
        for role in roles:
            grant(session, made, role, now)
        record(session, "invitation.accepted", now, origin, user_id=made, data={"roles": roles})
        return account_by_id(session, made)

    made = await accounts.run(accepted)
    if made is None:
        raise stale_link()
    return made


async def _invite(
    accounts: Accounts, token: str, roles: Sequence[str], address: Name | None, life: timedelta
) -> None:
    told: dict[str, object] = {"roles": list(dict.fromkeys(roles))}
    if address is not None:
        told["email"] = {"shown": address.shown, "key": address.key}
    bound = token_digest(address.key) if address else None

    def made(session: Session, now: datetime) -> None:
        check_roles(accounts, session, roles)
        if address is not None and is_taken(session, address):
            raise taken(address)
        new = NewSecret("invitation", token_digest(token), now + life, bound_to=bound, data=told)
        issue(session, new, now)
        record(session, "invitation.made", now, NOWHERE, data={"roles": told["roles"]})

    await accounts.run(made)


def _followed(session: Session, digest: bytes, now: datetime) -> Secret | None:
    """The link used up, if it still stands for anything."""
    invitation = consume(session, "invitation", digest, now)
    if invitation is not None:
        return invitation
    first = consume(session, "first_admin", digest, now)
    return first if first is not None and _is_first(session, now) else None


def _made(session: Session, names: list[Name], hash_: str, now: datetime) -> UUID:
    for name in names:
        if is_taken(session, name):
            raise taken(name)
    try:
        return new_account(session, names, hash_, now, verified=frozenset({"email"}))
    except IntegrityError as exc:
        # Somebody else came first, in this very moment.
        raise taken(names[0]) from exc


def _is_first(session: Session, now: datetime) -> bool:
    """Whether there is no superuser still, while nobody else becomes one by such a link.

    The counter's row stays locked until the transaction ends: two links are followed one by one.
    """
    reading = take(session, counter_key("first admin"), ONE_BY_ONE, milliseconds(now))
    return reading.is_allowed and not is_held(session, SUPERUSER)


def _addresses_in(secret: Secret) -> list[Name]:
    told = secret.data.get("email")
    return [Name("email", told["shown"], told["key"])] if told else []
