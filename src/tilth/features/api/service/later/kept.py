"""A request ↔ what is kept of it until it is carried out, and by whom it may be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.types import Message

from tilth.features.api.service.idempotency import MEANT
from tilth.kernel.policy.actor import Actor, actor_from_json, json_of
from tilth.runtime.web.problem import REQUEST_ID


def kept_request(request: Request, actor: Actor, request_id: str | None) -> dict[str, Any]:
    """Without credentials: who asks is known by now."""
    scope = request.scope
    return {
        "method": request.method,
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode("latin-1"),
        "root_path": scope.get("root_path", ""),
        "query": scope["query_string"].decode("latin-1"),
        "headers": [[n, value] for n in MEANT for value in request.headers.getlist(n)],
        "request_id": request_id,
        "actor": json_of(actor),
    }


def request_from(kept: Mapping[str, Any], body: bytes) -> Request:
    """The same request, to be read again."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(name.encode(), value.encode("latin-1")) for name, value in kept["headers"]]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": kept["method"],
        "path": kept["path"],
        "raw_path": kept["raw_path"].encode("latin-1"),
        "root_path": kept["root_path"],
        "query_string": kept["query"].encode("latin-1"),
        "headers": headers,
        "state": {REQUEST_ID: kept["request_id"]},
    }
    return Request(scope, receive)


def actor_from(kept: Mapping[str, Any]) -> Actor:
    return actor_from_json(kept["actor"])


def may_know(asking: Actor, asked: Actor) -> bool:
    """Whether one credential of an identity may be told what another was answered: it may as much."""
    reaches = asking.scopes is None or (asked.scopes is not None and asking.scopes >= asked.scopes)
    may = asking.roles >= asked.roles and asking.permissions >= asked.permissions
    return reaches and may and asking.assurance >= asked.assurance


def owner_of(actor: Actor) -> bytes:
    return hashlib.sha256(orjson.dumps([actor.id, actor.tenant])).digest()
