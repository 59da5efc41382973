"""Cookies of sessions: how they are named, found among others, set and taken away."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import HTTPConnection
from starlette.responses import Response

from tilth.features.auth.service.accounts import Accounts

SECURE_NAME = "__Host-tilth"
PLAIN_NAME = "tilth_development"
"""Over http, where browsers refuse the other. Not looked at when the request came by https."""

DEVICE_SUFFIX = "-device"
DATA_SUFFIX = "-data"

MOST_CHARACTERS = 4096


def is_secure(accounts: Accounts, connection: HTTPConnection) -> bool:
    if accounts.is_secure is not None:
        return accounts.is_secure
    return connection.scope["scheme"] in ("https", "wss")


def cookie_name(accounts: Accounts, connection: HTTPConnection, suffix: str = "") -> str:
    return f"{SECURE_NAME if is_secure(accounts, connection) else PLAIN_NAME}{suffix}"


def cookie_of(accounts: Accounts, connection: HTTPConnection, suffix: str = "") -> str | None:
    """None without one, and also when there are two: a neighbour may have set the other.

    Read from the header itself: a parser that is more forgiving also finds what is none.
    """
    name = cookie_name(accounts, connection, suffix)
    found = [
        value
        for header in connection.headers.getlist("cookie")
        for key, _, value in (part.strip().partition("=") for part in header.split(";"))
        if key == name
    ]
    return found[0] if len(found) == 1 and 0 < len(found[0]) <= MOST_CHARACTERS else None


def set_cookie(
    accounts: Accounts,
    connection: HTTPConnection,
    response: Response,
    value: str,
    expires_at: datetime,
    *,
    suffix: str = "",
) -> None:
    """No Domain, so that no other host is sent it or can replace it (RFC 6265bis, `__Host-`)."""
    response.set_cookie(
        cookie_name(accounts, connection, suffix),
        value,
        max_age=max(0, int((expires_at - accounts.now()).total_seconds())),
        path="/",
        secure=is_secure(accounts, connection),
        httponly=True,
        samesite="lax",
    )


def drop_cookie(
    accounts: Accounts, connection: HTTPConnection, response: Response, *, suffix: str = ""
) -> None:
    response.delete_cookie(
        cookie_name(accounts, connection, suffix),
        path="/",
        secure=is_secure(accounts, connection),
        httponly=True,
        samesite="lax",
    )
