"""Requests that only one route can take go straight to it, past the framework's own layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

FAILED = "tilth_failed"


@runtime_checkable
class DirectRoute(Protocol):
    """A route for everything below its prefix that no route before it takes.

    Handling a request whose state holds an error under FAILED, it raises that error.
    """

    @property
    def prefix(self) -> str:
        """ "/api", without a slash at its end."""

    async def answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        """The answer, complete before any of it is sent. Raises whatever cannot be answered."""


class Shortcut:
    """Reads below the prefix, when the application has no middleware that wants to see them.

    An error goes the long way after all, so that the developer's exception handlers get it.
    """

    def __init__(self, app: ASGIApp, route: DirectRoute, others: Sequence[BaseRoute]) -> None:
        """app: the long way. others: the routes before this one, which win where they match."""
        self.app, self.route = app, route
        self.below = f"{route.prefix}/"
        self.others = [other for other in others if _may_match(other, self.below)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_ours(scope):
            return await self.app(scope, receive, send)
        try:
            answer = await self.route.answer(scope, receive)
        except Exception as exc:
            scope.setdefault("state", {})[FAILED] = exc
            return await self.app(scope, receive, send)
        await answer(scope, receive, send)

    def _is_ours(self, scope: Scope) -> bool:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return False
        path: str = scope["path"]
        if not path.removeprefix(scope.get("root_path", "")).startswith(self.below):
            return False
        return not self.others or all(
            other.matches(scope)[0] is Match.NONE for other in self.others
        )


def _may_match(route: BaseRoute, below: str) -> bool:
    """Whether any path below the prefix could be the route's."""
    path = getattr(route, "path", None)
    if not isinstance(path, str):
        return True
    fixed, parameter, _ = path.partition("{")
    is_open = bool(parameter) or hasattr(route, "routes")
    return fixed.startswith(below) or (is_open and below.startswith(fixed))
