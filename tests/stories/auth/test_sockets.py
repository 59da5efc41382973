"""WebSockets, which a page of any site may open with the cookies of this one."""

from __future__ import annotations

from typing import Any

import pytest

Site = Any


def handshake(site: Site, headers: dict[str, str]) -> list[str]:
    """What the application sends to somebody who opens /live."""
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "ws",
        "server": ("notes.test", 80),
        "client": ("192.0.2.7", 1234),
        "root_path": "",
        "path": "/live",
        "raw_path": b"/live",
        "query_string": b"",
        "subprotocols": [],
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    site.run(site.app(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    ("origin", "is_open"),
    [
        ("http://notes.test", True),
        (None, True),
        ("https://evil.example", False),
        ("http://notes.test.evil.example", False),
        ("null", False),
    ],
    ids=["own", "no browser", "other", "longer", "null"],
)
def test_46_pages_of_other_sites_open_no_socket(
    site: Site, origin: str | None, is_open: bool
) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    cookies = "; ".join(f"{name}={value}" for name, value in bob.client.cookies.items())
    headers = {"host": "notes.test", "cookie": cookies} | ({"origin": origin} if origin else {})

    opened = ["websocket.accept", "websocket.close"]
    assert handshake(site, headers) == (opened if is_open else ["websocket.close"])
