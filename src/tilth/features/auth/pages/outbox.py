"""/_tilth/outbox: the mails that were not sent, in development and on this machine only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tilth.errors import NotFound
from tilth.features.auth.adapters.development import DevelopmentMail
from tilth.features.auth.pages.rendering import Pages
from tilth.features.auth.port import Message
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.origins import address_of

PATH = "/_tilth/outbox"
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Line:
    """Of a mail. is_link: it leads into this application."""

    text: str
    is_link: bool


def outbox_of(accounts: Accounts) -> DevelopmentMail | None:
    """None where mails are sent, and in production."""
    mail = accounts.postman.mail
    is_development = accounts.backend.settings.environment == "development"
    return mail if is_development and isinstance(mail, DevelopmentMail) else None


def outbox_routes(accounts: Accounts) -> Sequence[BaseRoute]:
    outbox = outbox_of(accounts)
    if outbox is None:
        return ()
    pages = Pages(accounts)

    async def shown(request: Request) -> Response:
        """Each mail with a secret in it: nobody else's browser or program may see them."""
        if not _is_on_this_machine(request):
            raise NotFound("There is no such page.")
        await accounts.postman.delivered()
        mails = [(mail, list(_lines(mail, accounts))) for mail in reversed(outbox.messages)]
        return pages.page(request, "outbox", mails=mails)

    return [Route(PATH, shown)]


def _is_on_this_machine(request: Request) -> bool:
    """Asked by its own name, too: a page elsewhere could have its name lead to this machine."""
    if any(name in request.headers for name in FORWARDED):
        return False
    return _is_loopback(address_of(request)) and _is_loopback(_host_of(request))


def _host_of(request: Request) -> str | None:
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    try:
        return host is not None and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


def _lines(mail: Message, accounts: Accounts) -> Iterator[Line]:
    base = accounts.letters.link("/", "").partition("/?")[0]
    for text in mail.text.splitlines():
        yield Line(text, text.startswith(f"{base}/") and " " not in text)
