"""Around every request: what other sites made a browser send is stopped, and `request.session` works."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

import orjson
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.errors import BadCredential, Forbidden
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.browser import (
    DATA_SUFFIX,
    cookie_of,
    drop_cookie,
    set_cookie,
)
from tilth.features.auth.service.readers import KEY_HEADER
from tilth.features.auth.service.session_credentials import resealed
from tilth.kit.secrets import token_digest

GUARDED = ("/auth/", "/account", "/sign-in", "/sign-up", "/reset", "/mfa")
DEPENDS_ON = ("Authorization", "Cookie", "X-API-Key")
DATA_LIFE = timedelta(days=14)


class Borderline:
    """Refuses what another site made a browser send, and says what answers depend on."""

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self.app, self.accounts = app, accounts
        self.guarded = (*GUARDED, *accounts.options.aliases)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        connection = HTTPConnection(scope)
        cookie = cookie_of(self.accounts, connection)
        if scope["type"] == "websocket":
            return await self._socket(connection, cookie, receive, send)
        self._check(connection, cookie)

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = list(message.get("headers", ()))
                headers = MutableHeaders(scope=message)
                _vary(headers)
                self._keep_alive(connection, cookie, headers)
            await send(message)

        await self.app(scope, receive, send_varying)

    def _check(self, connection: HTTPConnection, cookie: str | None) -> None:
        headers, path = connection.headers, connection.scope["path"]
        is_guarded = path.startswith(self.guarded)
        if is_guarded:
            self.accounts.borders.check_host(headers)
        is_basic = _is_basic(headers.get("authorization"))
        sent_on_purpose = KEY_HEADER in headers or _is_bearer(headers.get("authorization"))
        if cookie is not None or is_basic or (is_guarded and not sent_on_purpose):
            session = token_digest(cookie) if cookie else None
            only_basic = is_basic and cookie is None
            method = connection.scope["method"]
            self.accounts.borders.check(method, headers, session, only_basic=only_basic)

    async def _socket(
        self, connection: HTTPConnection, cookie: str | None, receive: Receive, send: Send
    ) -> None:
        """Closed before it is accepted, which the server answers by 403."""
        if cookie is not None or _is_basic(connection.headers.get("authorization")):
            try:
                self.accounts.borders.check_socket(connection.headers)
            except Forbidden:
                await receive()
                await send({"type": "websocket.close", "code": 1008})
                return
        await self.app(connection.scope, receive, send)

    def _keep_alive(
        self, connection: HTTPConnection, cookie: str | None, headers: MutableHeaders
    ) -> None:
        """Of sealed sessions; the others are kept alive in the database."""
        if cookie is None or "set-cookie" in headers:
            return
        anew = resealed(self.accounts, cookie)
        if anew is not None:
            response = Response()
            set_cookie(self.accounts, connection, response, *anew)
            headers.append("set-cookie", response.headers["set-cookie"])


class Data(MutableMapping[str, Any]):
    """What the developer's own code keeps in the browser; read when it is first touched."""

    def __init__(self, accounts: Accounts, connection: HTTPConnection) -> None:
        self._accounts, self._connection = accounts, connection
        self._values: dict[str, Any] | None = None
        self.is_changed = False

    def __getitem__(self, name: str) -> Any:
        return self._read()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._read()[name] = value
        self.is_changed = True

    def __delitem__(self, name: str) -> None:
        del self._read()[name]
        self.is_changed = True

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def send_with(self, headers: MutableHeaders) -> None:
        """Sets the cookie anew, or takes it away when nothing is left in it."""
        accounts, response = self._accounts, Response()
        if self._values:
            now = accounts.now()
            content = orjson.dumps(self._values)
            context = _context(accounts, self._connection)
            sealed = accounts.sealer.seal(context, content, now=now, lifetime=DATA_LIFE)
            set_cookie(
                accounts, self._connection, response, sealed, now + DATA_LIFE, suffix=DATA_SUFFIX
            )
        else:
            drop_cookie(accounts, self._connection, response, suffix=DATA_SUFFIX)
        headers.append("set-cookie", response.headers["set-cookie"])

    def _read(self) -> dict[str, Any]:
        if self._values is None:
            self._values = self._opened()
        return self._values

    def _opened(self) -> dict[str, Any]:
        """Of this session, or of before there was one; nothing when neither can be opened."""
        accounts = self._accounts
        sealed = cookie_of(accounts, self._connection, DATA_SUFFIX)
        if sealed is None:
            return {}
        for context in (_context(accounts, self._connection), _NOBODYS):
            try:
                content = accounts.sealer.open(context, sealed, now=accounts.now()).content
            except BadCredential:
                continue
            values: dict[str, Any] = orjson.loads(content)
            return values
        return {}


class SessionData:
    """Puts `Data` where Starlette looks for `request.session`."""

    def __init__(self, app: ASGIApp, accounts: Accounts) -> None:
        self.app, self.accounts = app, accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or "session" in scope:
            return await self.app(scope, receive, send)
        data = scope["session"] = Data(self.accounts, HTTPConnection(scope))

        async def send_with_data(message: Message) -> None:
            if message["type"] == "http.response.start" and data.is_changed:
                message["headers"] = list(message.get("headers", ()))
                data.send_with(MutableHeaders(scope=message))
            await send(message)

        await self.app(scope, receive, send_with_data)


_NOBODYS = "data of nobody"


def _context(accounts: Accounts, connection: HTTPConnection) -> str:
    """What one session kept is nothing to the next."""
    cookie = cookie_of(accounts, connection)
    return f"data of {sha256(cookie.encode()).hexdigest()}" if cookie else _NOBODYS


def _vary(headers: MutableHeaders) -> None:
    """Each name once, in one header."""
    names = [name.strip() for line in headers.getlist("vary") for name in line.split(",")]
    spelled = {name.lower(): name for name in reversed([*names, *DEPENDS_ON]) if name}
    headers["vary"] = ", ".join(reversed(spelled.values()))


def _is_basic(authorization: str | None) -> bool:
    return authorization is not None and authorization.lstrip()[:6].lower() == "basic "


def _is_bearer(authorization: str | None) -> bool:
    return authorization is not None and authorization.lstrip()[:7].lower() == "bearer "
