"""The open state of accounts in one application, made once it is frozen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.orm import Session

from tilth.errors import Finding, SetupError
from tilth.feature import Backend
from tilth.features.auth.adapters.development import terminal_mail
from tilth.features.auth.adapters.smtp import SmtpMail, smtp_server_from
from tilth.features.auth.models.api_keys import key_look
from tilth.features.auth.models.identity import account_look, password_look, token_look, user_look
from tilth.features.auth.models.sessions import session_look
from tilth.features.auth.port import Mail
from tilth.features.auth.service.bearer import LONGEST, Tokens, token_keys
from tilth.features.auth.service.believed import Believed
from tilth.features.auth.service.cookies import Sealer
from tilth.features.auth.service.crossing import Borders
from tilth.features.auth.service.letters import Letters
from tilth.features.auth.service.passkeys.party import party_from
from tilth.features.auth.service.passwords.blocklist import Blocklist
from tilth.features.auth.service.passwords.pool import HashingPool
from tilth.features.auth.service.passwords.rules import Rules
from tilth.features.auth.service.postman import Postman
from tilth.features.auth.settings import Auth
from tilth.kernel.policy.actor import Actor
from tilth.kernel.store.look import Look
from tilth.kernel.store.unit import Units
from tilth.kit.secrets import derived_key, new_bytes, new_token
from tilth.settings import Settings

if TYPE_CHECKING:
    from tilth.features.auth.service.passkeys.ceremony import Ceremonies

DEVELOPMENT_URL = "http://127.0.0.1:8000"
BASIC_BELIEVED = timedelta(minutes=5)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Looks:
    """The one statement of each kind of credential."""

    session: Look
    user: Look
    token: Look
    key: Look
    password: Look
    account: Look


@dataclass(frozen=True, slots=True)
class Keys:
    """Each for one purpose. guess: makes the keys of what is believed, and is of this process only."""

    refresh: bytes
    codes: bytes
    guess: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Accounts:
    """is_secure: the world comes by https; None when each request has to tell.

    verified: credentials of Basic that were verified against the hash that is still stored.
    actors: whose credential it was, for options.cache_seconds. passkeys: None where they are turned off.
    """

    options: Auth
    backend: Backend
    units: Units
    is_secure: bool | None
    borders: Borders
    sealer: Sealer
    keys: Keys
    tokens: Tokens
    hashing: HashingPool
    rules: Rules
    letters: Letters
    postman: Postman
    looks: Looks
    verified: Believed[bool]
    actors: Believed[Actor]
    passkeys: Ceremonies | None

    def now(self) -> datetime:
        return self.options.clock()

    async def run(self, work: Callable[[Session, datetime], Result]) -> Result:
        """One unit of work. It may be called again, so it does nothing outward."""
        return await self.units.run(lambda session: work(session, self.now()))

    async def changed(self, work: Callable[[Session, datetime], Result]) -> Result:
        """One after which credentials must be looked up anew."""
        try:
            return await self.run(work)
        finally:
            self.actors.forget()


def open_accounts(options: Auth, backend: Backend) -> Accounts:
    """Nothing is connected to. Raises SetupError when accounts could not be kept."""
    if backend.units is None:
        raise SetupError(_read_only())
    if backend.store.database.dialect.name == "mariadb":
        raise SetupError(_on_mariadb())
    settings = backend.settings
    secrets = (settings.secret_key or new_token(), *settings.previous_secret_keys)
    newest = secrets[0]
    public = settings.web.public_url
    base = public or DEVELOPMENT_URL
    is_strict = settings.environment == "production"
    friends = settings.web.cors_origins if settings.web.cors_credentials else ()
    dialect = backend.store.database.dialect
    return Accounts(
        options=options,
        backend=backend,
        units=backend.units,
        is_secure=public.startswith("https:") if public else None,
        borders=Borders(public if is_strict else None, friends, derived_key(newest, "csrf")),
        sealer=Sealer([derived_key(secret, "sealed") for secret in secrets]),
        keys=Keys(derived_key(newest, "refresh"), derived_key(newest, "codes"), new_bytes()),
        tokens=Tokens(token_keys(secrets, options.algorithm), base, min(options.access, LONGEST)),
        hashing=HashingPool(threads=os.cpu_count() or 1),
        rules=_rules(options),
        letters=Letters(backend.title, base),
        postman=Postman(options.mail or _mail(settings)),
        looks=Looks(
            Look(session_look(), dialect),
            Look(user_look(), dialect),
            Look(token_look(), dialect),
            Look(key_look(), dialect),
            Look(password_look(), dialect),
            Look(account_look(), dialect),
        ),
        verified=Believed(BASIC_BELIEVED),
        actors=Believed(timedelta(seconds=options.cache_seconds)),
        passkeys=_passkeys(backend.title, public) if options.passkeys else None,
    )


def permissions_of(
    declared: Mapping[str, frozenset[str]], roles: frozenset[str], stored: frozenset[str]
) -> frozenset[str]:
    """declared: roles in code. stored: what the database says that these roles permit."""
    if declared.keys().isdisjoint(roles):
        return stored
    return stored.union(*(declared[role] for role in roles if role in declared))


def _rules(options: Auth) -> Rules:
    said = options.passwords
    blocklist = Blocklist() if said.blocklist else None
    return Rules(said.shortest, said.shortest_with_factor, blocklist=blocklist)


def _mail(settings: Settings) -> Mail:
    """In development without a server, mail is shown in the terminal."""
    if settings.mail.url is None or settings.mail.sender is None:
        return terminal_mail()
    return SmtpMail(smtp_server_from(settings.mail.url), settings.mail.sender)


def _passkeys(title: str, public: str | None) -> Ceremonies:
    """Raises SetupError without the library, which most applications do not need."""
    try:
        from tilth.features.auth.service.passkeys.ceremony import Ceremonies
    except ModuleNotFoundError as exc:
        raise SetupError(_no_library()) from exc
    party = party_from(public or DEVELOPMENT_URL, is_configured=public is not None)
    return Ceremonies(party, title)


def _no_library() -> Finding:
    return Finding(
        "auth.passkeys",
        "Auth(passkeys=True)",
        "the library that passkeys need is not installed.",
        "Install it: pip install 'tilth[passkeys]'",
    )


def _on_mariadb() -> Finding:
    """It returns nothing of the rows that it updates, which is how a token is used once only."""
    return Finding(
        "auth.mariadb",
        "auth=Auth()",
        "accounts cannot be kept on MariaDB.",
        "Use SQLite or PostgreSQL, or a credential reader of your own for who signs in elsewhere.",
    )


def _read_only() -> Finding:
    return Finding(
        "auth.read_only",
        "auth",
        "accounts cannot be kept in a database that is only read.",
        "Leave auth= or read_only=True out.",
    )


def flat(texts: Sequence[str] | None) -> str | None:
    """As scopes and networks are stored."""
    return None if texts is None else " ".join(dict.fromkeys(texts))
