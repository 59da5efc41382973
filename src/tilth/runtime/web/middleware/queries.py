"""In development: how many statements a request takes, and what is wrong with them."""

from __future__ import annotations

import logging
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tilth.kernel.store.sessions.watch import CURRENT, Watch, watch_requests

HEADER = b"x-tilth-queries"

logger = logging.getLogger("tilth.query")


class Queries:
    """Sends `X-Tilth-Queries: 12; n_plus_one=1` and logs each remark with its place and remedy."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        watch_requests()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        watch = Watch()

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                header = (HEADER, summary_of(watch).encode())
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        before = CURRENT.set(watch)
        try:
            await self.app(scope, receive, send_counted)
        finally:
            CURRENT.reset(before)
            for remark in watch.remarks():
                logger.warning(
                    "%s %s: %s: %s", scope["method"], scope["path"], remark.code, remark.text
                )


def summary_of(watch: Watch) -> str:
    counts = Counter(remark.code for remark in watch.remarks())
    return "; ".join([str(len(watch.asked)), *(f"{code}={n}" for code, n in counts.items())])
