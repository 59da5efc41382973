"""The configured public address → whom passkeys are made for, and whose pages may ask for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

import idna

LOCAL = "localhost"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ANY_LOCAL = re.compile(r"http://localhost(:[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Party:
    """id: what an authenticator binds a passkey to, WebAuthn's RP ID. origin: of the pages.

    is_anywhere_local: any port of localhost will do, since nobody has said which.
    """

    id: str
    origin: str
    is_anywhere_local: bool = False

    def is_own(self, origin: str) -> bool:
        """To the letter: a page of a subdomain, or of another port, is somebody else's."""
        if self.is_anywhere_local and _ANY_LOCAL.fullmatch(origin):
            return True
        return origin == self.origin


def party_from(public: str, *, is_configured: bool) -> Party:
    """public: an origin. A loopback number becomes localhost: browsers make no passkeys for numbers."""
    parts = urlsplit(public)
    host = _host(parts.hostname or "")
    is_default = parts.port in (None, _DEFAULT_PORTS.get(parts.scheme))
    origin = f"{parts.scheme}://{host}" + ("" if is_default else f":{parts.port}")
    return Party(host, origin, is_anywhere_local=host == LOCAL and not is_configured)


def is_number(public: str) -> bool:
    """Whether it names an address, which no passkey can be made for, instead of a host."""
    return _number(_host(urlsplit(public).hostname or "")) is not None


def _host(name: str) -> str:
    """As browsers write it."""
    number = _number(name)
    if number is not None:
        return LOCAL if number.is_loopback else name
    return name if name.isascii() else idna.encode(name, uts46=True).decode()


def _number(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name)
    except ValueError:
        return None
