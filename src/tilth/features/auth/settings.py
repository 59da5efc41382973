"""How people sign in: what an application says when it turns accounts on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tilth.kit.clock import now

if TYPE_CHECKING:
    from tilth.feature import Feature
    from tilth.features.auth.port import Mail

Sessions = Literal["server", "cookie"]
Algorithm = Literal["Ed25519", "HS256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Passwords:
    """What a password must be. Lengths are characters.

    shortest: where nothing else is asked. shortest_with_factor: for accounts that have a second
    factor. blocklist: refuse those that everybody uses, and those made of the account's own names.
    Source: NIST SP 800-63B-4 section 3.1.1.2.
    """

    shortest: int = 15
    shortest_with_factor: int = 8
    blocklist: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often, per minute: attempts from one address (IPv4 /24, IPv6 /64), and from everybody.

    Failures on one account are delayed beyond that, up to 15 minutes.
    """

    per_address: int = 60
    overall: int = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Accounts and every way to sign in, as `Tilth(auth=Auth())`.

    pages: people sign in and look after their account on pages of Tilth's; without, mails lead to pages
    of yours at the same addresses. sign_up: anybody may make an account. verify_email: one with an address begins when its owner
    follows the link in a mail; without, it begins at once and nobody knows whose the address is.
    passkeys: people may sign in without a password; needs the extra `passkeys`.
    sessions: "server" keeps them in the database; "cookie" seals them into the cookie itself, which
    ends all of a user's at once instead of one.
    idle, longest: of a session, without a request and at most. basic: HTTP Basic is understood.
    tokens: bearer tokens and refresh tokens are given out. access: life of a bearer token, 15 minutes
    at most. refresh: life of everything that comes from one sign-in by token.
    algorithm: of bearer tokens. cache_seconds: how long a credential that was found is believed without
    asking the database; 0 asks each time, so that what is revoked ends at once in every process.
    mail_codes: a code by mail is a second factor for those who set it up.
    trusted_devices: for how long a browser may not be asked for a second factor again, if its owner
    wants so; None asks each time.
    languages: BCP 47 tags of those that an account may prefer, for code of yours; the pages are in English.
    aliases: other addresses of routes, such as {"/auth/login": "/auth/token"}. mail: who delivers it,
    instead of TILTH_MAIL_URL. clock: what time it is, for tests; max_age of `require` and `assured`
    goes by the real one.
    """

    pages: bool = True
    sign_up: bool = True
    verify_email: bool = True
    passwords: Passwords = field(default_factory=Passwords)
    limits: Limits = field(default_factory=Limits)
    passkeys: bool = False
    sessions: Sessions = "server"
    idle: timedelta = timedelta(days=14)
    longest: timedelta = timedelta(days=30)
    basic: bool = True
    tokens: bool = True
    access: timedelta = timedelta(minutes=10)
    refresh: timedelta = timedelta(days=30)
    algorithm: Algorithm = "Ed25519"
    cache_seconds: float = 0.0
    mail_codes: bool = False
    languages: tuple[str, ...] = ("en",)
    trusted_devices: timedelta | None = None
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    mail: Mail | None = None
    clock: Callable[[], datetime] = now

    def feature(self) -> Feature:
        """Its modules, and the libraries behind them, are imported only now."""
        from tilth.features.auth.feature import feature_of

        return feature_of(self)
