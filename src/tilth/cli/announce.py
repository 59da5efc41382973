"""A server that answers → where everything is, for people and for programs."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from tilth.cli.port import EVERYWHERE, address_of
from tilth.cli.talk import counted, print_document, say
from tilth.feature import Backend
from tilth.features.api.pages import PATH as DOCS_PATH
from tilth.features.api.routes import PREFIX
from tilth.features.api.service.links import collection_path
from tilth.kernel.policy.actor import ANONYMOUS


@dataclass(frozen=True, slots=True)
class News:
    """made: tables. token: that lets read, when one was made. notes: more lines for people.

    first_admin: the link by which the first superuser is made. outbox: path of the mails that are
    not sent. pending: revisions that are not applied; None where there are no migrations.
    """

    mode: str
    made: Sequence[str] = ()
    token: str | None = None
    notes: Sequence[str] = ()
    first_admin: str | None = None
    outbox: str | None = None
    pending: Sequence[str] | None = None


def announce(backend: Backend, listening: socket.socket, news: News, *, as_json: bool) -> None:
    """Token and link appear in one place only: in the document, or else among the lines."""
    places = _places(backend, listening, news)
    if as_json:
        print_document(places)
    for line in _lines(backend, listening, news, places, with_token=not as_json):
        say(line)


def _places(backend: Backend, listening: socket.socket, news: News) -> dict[str, Any]:
    base = address_of(listening)
    return {
        "api": f"{base}{PREFIX}",
        "docs": f"{base}{DOCS_PATH}",
        "openapi": f"{base}/openapi.json",
        "database": backend.store.database.label,
        "resources": list(backend.schema),
        "created_tables": list(news.made),
        "pending_migrations": None if news.pending is None else list(news.pending),
        "token": news.token,
        "first_admin": news.first_admin,
        "outbox": f"{base}{news.outbox}" if news.outbox else None,
        "curl": _curl(base + _first_path(backend, news), news.token),
    }


def _lines(
    backend: Backend,
    listening: socket.socket,
    news: News,
    places: dict[str, Any],
    *,
    with_token: bool,
) -> list[str]:
    lines = [f"Tilth {version('tilth')} · {news.mode} · {places['database']}"]
    if news.made:
        lines.append(f"  Tables   created: {', '.join(news.made)}")
    lines.append(f"  API      {places['api']}  ({counted(len(backend.schema), 'resource')})")
    lines.append(f"  Docs     {places['docs']}")
    lines.append(f"  OpenAPI  {places['openapi']}")
    if places["outbox"]:
        lines.append(f"  Mail     {places['outbox']}")
    if news.token and with_token:
        lines.append(f"  Token    {news.token}  (shown this once)")
    if news.first_admin and with_token:
        lines.append(f"  Sign up  {news.first_admin}")
        lines.append("           makes the first superuser: good once, for 30 minutes.")
    if with_token or not news.token:
        lines.append(f"  Try      {places['curl']}")
    if listening.getsockname()[0] in EVERYWHERE:
        lines.append("  Reached on every network interface of this machine.")
    return [*lines, *(f"  {note}" for note in news.notes)]


def _first_path(backend: Backend, news: News) -> str:
    """Of a list that whoever follows the line can read, if there is one."""
    rulebook = backend.rulebook
    for name in backend.schema:
        if news.token or rulebook.access(name, ANONYMOUS).rows != "none":
            return f"{collection_path(PREFIX, name)}?limit=3"
    return PREFIX


def _curl(address: str, token: str | None) -> str:
    header = f'-H "Authorization: Bearer {token}" ' if token else ""
    return f'curl {header}"{address}"'
