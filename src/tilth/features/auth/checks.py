"""Settings → why accounts must not be served with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from tilth.errors import Finding
from tilth.features.auth.service.passkeys.party import is_number
from tilth.features.auth.settings import Auth
from tilth.settings import Settings

LEAST_DIFFERENT = 10
"""Characters of a secret: one that is written by hand to be long repeats itself."""

WIDEST_PROXIES = 2**16
"""Addresses of a network that proxies are believed in."""


def refusals(options: Auth, settings: Settings) -> Sequence[Finding]:
    """Errors in production; in development there is nothing to lose."""
    return list(findings(options, settings)) if settings.environment == "production" else ()


def findings(options: Auth, settings: Settings) -> Iterator[Finding]:
    """Everything that production would refuse."""
    yield from _secret_findings(settings)
    yield from _address_findings(settings)
    if options.mail is None and (settings.mail.url is None or settings.mail.sender is None):
        yield Finding(
            "auth.mail",
            "TILTH_MAIL_URL",
            "nobody could confirm an address or choose a new password: there is no mail server.",
            "Set TILTH_MAIL_URL and TILTH_MAIL_FROM, or Auth(mail=...).",
        )
    public = settings.web.public_url
    if options.passkeys and public is not None and is_number(public):
        yield Finding(
            "auth.passkeys",
            "TILTH_PUBLIC_URL",
            "names an address by its number: browsers make passkeys for names only.",
            "Give the server a name, such as https://shop.example.",
        )
    for network in settings.web.proxies:
        if ip_network(network).num_addresses > WIDEST_PROXIES:
            yield Finding(
                "auth.proxies",
                "TILTH_PROXIES",
                f"{network} lets almost anybody say where a request comes from.",
                "Name the addresses of your proxies.",
            )


def _secret_findings(settings: Settings) -> Iterator[Finding]:
    if not settings.secret_key:
        yield Finding(
            "auth.secret_key",
            "TILTH_SECRET_KEY",
            "is not set: everybody would be signed out with every restart, and workers would not "
            "understand each other.",
            "Make one: python -c 'import secrets; print(secrets.token_hex(32))'",
        )
    for secret in filter(None, (settings.secret_key, *settings.previous_secret_keys)):
        if len(set(secret)) < LEAST_DIFFERENT:
            yield Finding(
                "auth.weak_secret",
                "TILTH_SECRET_KEY",
                "can be guessed: it is made of a few characters that repeat.",
                "Make one: python -c 'import secrets; print(secrets.token_hex(32))'",
            )


def _address_findings(settings: Settings) -> Iterator[Finding]:
    public = settings.web.public_url
    if public is None:
        yield Finding(
            "auth.public_url",
            "TILTH_PUBLIC_URL",
            "is not set: links in mails must not lead where a request says it came to.",
            "Set it to where the world reaches this server, such as https://shop.example.",
        )
    elif not public.startswith("https://"):
        yield Finding(
            "auth.http",
            "TILTH_PUBLIC_URL",
            "is not https: passwords and cookies could be read on their way.",
            "Serve it by https, and set TILTH_PUBLIC_URL to that address.",
        )
