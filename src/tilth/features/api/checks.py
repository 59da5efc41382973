"""The developer's own routes → which generated addresses they keep from being answered."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import unwrap

from starlette.routing import BaseRoute, Match

from tilth.errors import Finding
from tilth.features.api.routes import PREFIX, ApiRoute
from tilth.features.api.service.links import collection_path
from tilth.kernel.schema.resource import Schema


def shadow_findings(schema: Schema, own: Sequence[BaseRoute]) -> list[Finding]:
    """A warning for each collection that a route of the developer's reads instead, or any row of it."""
    routes = [route for route in own if not isinstance(route, ApiRoute)]
    findings = []
    for collection in (collection_path(PREFIX, name) for name in schema):
        # Any key will do, so one that nobody writes into a route.
        for address, shown in ((collection, collection), (f"{collection}/~~", f"{collection}/…")):
            shadow = next((route for route in routes if _answers(route, address)), None)
            if shadow is not None:
                findings.append(_finding(shadow, shown))
                break
    return findings


def _answers(route: BaseRoute, address: str) -> bool:
    """Asked as a request does it: also of routers and applications that were included."""
    scope = {"type": "http", "method": "GET", "path": address, "root_path": "", "headers": []}
    return route.matches(scope)[0] is Match.FULL


def _finding(shadow: BaseRoute, address: str) -> Finding:
    endpoint = getattr(shadow, "endpoint", None)  # included routers and mounts have none
    code = getattr(unwrap(endpoint), "__code__", None) if callable(endpoint) else None
    return Finding(
        "api.shadowed",
        f"GET {address}",
        "a route of your own answers instead of the generated one.",
        "Give it another path, or the resource another name: expose(..., name=...).",
        "warning",
        where=f"{code.co_filename}:{code.co_firstlineno}" if code else None,
    )
