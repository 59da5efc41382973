"""New accounts. Where an address is given, there is none until its owner has followed the link.

A username that is taken is said to be: there is no choosing one otherwise. That an address has an
account is told to nobody but its owner.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tilth.errors import BadRequest, Fault, Forbidden, Invalid, invalid
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.secrets import NewSecret, consume, issue, usable
from tilth.features.auth.models.users import Account, account_by_id, is_taken, new_account
from tilth.features.auth.service import names
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.guard import Admission, admit, blur
from tilth.features.auth.service.names import Name
from tilth.features.auth.service.passwords.rules import password_faults
from tilth.kit.secrets import is_same, new_token, token_digest

LINK_HOURS = 24
LINK_LIFE = timedelta(hours=LINK_HOURS)
LINK_PATH = "/sign-up/confirm"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to be called. At least one of the three."""

    username: str | None
    email: str | None
    phone: str | None
    password: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A link was sent, to whoever the address belongs to. flow: stays in the client that asked."""

    admission: Admission
    flow: str


@dataclass(frozen=True, slots=True)
class Made:
    account: Account
    admission: Admission


async def sign_up(accounts: Accounts, wish: Wish, origin: Origin) -> Made | Waiting:
    """Raises Invalid, Forbidden, TooManyRequests and Unavailable."""
    if not accounts.options.sign_up:
        raise Forbidden("Accounts are made by whoever runs this.", code="sign_up_closed")
    admission = await accounts.run(
        lambda s, now: admit(s, accounts.options.limits, origin, now, cost="sign-up")
    )
    admission.check()
    wanted = names_from(wish)
    check_password(accounts, wish.password, wanted)
    # Before anything is looked up: the time it takes must not tell what was found.
    hash_ = await accounts.hashing.hash(wish.password)
    if accounts.options.verify_email and any(name.kind == "email" for name in wanted):
        flow = new_token()
        await _by_mail(accounts, wanted, hash_, flow, origin)
        return Waiting(admission, flow)
    made = await accounts.run(lambda s, now: _made(s, wanted, hash_, now, origin, frozenset()))
    return Made(made, admission)


async def confirm(
    accounts: Accounts,
    token: str,
    origin: Origin,
    *,
    flow: str | None = None,
    password: str | None = None,
) -> Account:
    """The account that a link begins. Raises BadRequest for a link that is not good any more.

    flow: of the client that asked. Without it another password has to be chosen, or Invalid is raised and
    the link stays as it was: who asked may have been a stranger, who knows the first one.
    """
    digest = token_digest(token)
    if await accounts.run(lambda s, now: usable(s, "sign_up", digest, now)) is None:
        raise stale_link()
    chosen = await accounts.hashing.hash(password) if password and len(password) <= 1024 else ""

    def confirmed(session: Session, now: datetime) -> Account | None:
        secret = consume(session, "sign_up", digest, now)
        if secret is None:
            return None
        wanted = [Name(each["kind"], each["shown"], each["key"]) for each in secret.data["names"]]
        hash_ = secret.data["hash"]
        if flow is None or not is_same(token_digest(flow).hex(), secret.data["flow"]):
            check_chosen(accounts, password, wanted)
            hash_ = chosen
        return _made(session, wanted, hash_, now, origin, frozenset({"email"}))

    made = await accounts.run(confirmed)
    if made is None:
        raise stale_link()
    return made


def names_from(wish: Wish) -> list[Name]:
    """Normal forms. Raises Invalid with every fault."""
    readers = {"username": names.username, "email": names.email, "phone": names.phone}
    found: list[Name] = []
    faults: list[Fault] = []
    for kind, read in readers.items():
        text = getattr(wish, kind)
        if text is None:
            continue
        try:
            found.append(read(text))
        except Invalid as exc:
            faults.extend(exc.faults)
    if not found and not faults:
        detail = "Give a username, an e-mail address or a telephone number."
        faults.append(Fault("/username", "required", detail))
    if faults:
        raise invalid(faults)
    return found


def check_password(
    accounts: Accounts,
    password: str,
    wanted: list[Name],
    *,
    has_factor: bool = False,
    pointer: str = "/password",
) -> None:
    """Raises Invalid for one that is too short, or that others would try first."""
    context = [*(name.key for name in wanted), accounts.backend.title]
    faults = password_faults(
        password, accounts.rules, context=context, has_second_factor=has_factor, pointer=pointer
    )
    if faults:
        raise invalid(faults)


def check_chosen(accounts: Accounts, password: str | None, wanted: list[Name]) -> None:
    """Raises Invalid."""
    if password is None:
        detail = "The account was asked for somewhere else. Choose a password that only you know."
        raise invalid([Fault("/password", "required", detail)])
    check_password(accounts, password, wanted)


def stale_link() -> BadRequest:
    return BadRequest(
        "This link is not good any more: it was used, has expired, or another one followed. Ask for a "
        "new one.",
        code="stale_link",
    )


async def _by_mail(
    accounts: Accounts, wanted: list[Name], hash_: str, flow: str, origin: Origin
) -> None:
    token = new_token()
    told = {
        "names": [{"kind": n.kind, "shown": n.shown, "key": n.key} for n in wanted],
        "hash": hash_,
        "flow": token_digest(flow).hex(),
    }
    address = next(name for name in wanted if name.kind == "email")

    def kept(session: Session, now: datetime) -> bool:
        """Whether the address is new. The same is written either way."""
        for name in wanted:
            if name.kind != "email" and is_taken(session, name):
                raise taken(name)
        is_known = is_taken(session, address)
        secret = NewSecret(
            "sign_up",
            token_digest(token),
            now + LINK_LIFE,
            bound_to=token_digest(address.key),
            data=told,
        )
        issue(session, secret, now)
        record(session, "sign_up.asked", now, origin)
        return not is_known

    letters = accounts.letters
    if await accounts.run(kept):
        link = letters.link(LINK_PATH, token)
        letter = letters.write("sign_up", address.shown, link=link, hours=LINK_HOURS)
    else:
        letter = letters.write("sign_up_again", address.shown)
    accounts.postman.post(letter)
    await blur()


def _made(
    session: Session,
    wanted: list[Name],
    hash_: str,
    now: datetime,
    origin: Origin,
    verified: frozenset[str],
) -> Account:
    for name in wanted:
        if is_taken(session, name):
            raise taken(name)
    try:
        made: UUID = new_account(session, wanted, hash_, now, verified=verified)
    except IntegrityError as exc:
        # Somebody else came first, in this very moment.
        raise taken(wanted[0]) from exc
    record(session, "sign_up", now, origin, user_id=made)
    account = account_by_id(session, made)
    assert account is not None
    return account


def taken(name: Name) -> Invalid:
    words = {"username": "username", "email": "e-mail address", "phone": "telephone number"}
    detail = f"This {words[name.kind]} is taken."
    return invalid([Fault(f"/{name.kind}", f"{name.kind}_taken", detail)])
