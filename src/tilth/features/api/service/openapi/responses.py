"""The answers every operation may give, with their headers and the problem they carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilth.errors import (
    BadRequest,
    NotAcceptable,
    NotFound,
    ProblemError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from tilth.features.api.service.openapi.components import Components, Part, Reference

_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}

_HEADERS: Mapping[str, tuple[str, Part]] = {
    "X-Request-ID": ("Names this request in the server's log.", _TEXT),
    "Server-Timing": ("Where the time went.", _TEXT),
    "Cache-Control": ("Who may keep the answer, and for how long (RFC 9111).", _TEXT),
    "Vary": ("Request headers the answer depends on.", _TEXT),
    "ETag": ("Version of what is answered, for If-None-Match (RFC 9110).", _TEXT),
    "Link": ("Related addresses: next, prev, service-desc and others (RFC 8288).", _TEXT),
    "Content-Disposition": ("Name to save the answer under, for text/csv.", _TEXT),
    "Allow": ("Methods there are here.", _TEXT),
    "Retry-After": ("Seconds to wait.", _SECONDS),
    "WWW-Authenticate": ("How to sign in.", _TEXT),
}

_EVERYWHERE = ("X-Request-ID", "Server-Timing")
_OF_AN_ANSWER = (
    *_EVERYWHERE, "Cache-Control", "Vary", "ETag", "Link", "Content-Disposition", "Allow"
)  # fmt: skip

_EXTRA = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}

_PROBLEM = {
    "title": "Problem",
    "description": "Why a request was not answered (RFC 9457).",
    "type": "object",
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "Kind of problem, for programs.",
        },
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable, for programs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "`?sort` for a parameter, `/name` for a body member.",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["pointer", "code", "detail"],
            },
        },
        "request_id": {"type": ["string", "null"]},
    },
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
}


@dataclass(frozen=True, slots=True)
class Responses:
    """References by status. with_body: how a GET is refused; bare: how a HEAD or OPTIONS is.

    problem: the schema of every refusal with a body. headers: references to the headers of an
    answer. found, allowed: what HEAD and OPTIONS answer.
    """

    problem: Reference
    headers: Mapping[str, Reference]
    not_modified: Reference
    found: Reference
    allowed: Reference
    with_body: Mapping[int, Reference]
    bare: Mapping[int, Reference]


def shared_responses(components: Components, *, credentials: bool) -> Responses:
    """credentials: the application can tell callers apart, so a bad credential is refused."""
    headers = {
        name: components.add("headers", name, {"description": wording, "schema": schema})
        for name, (wording, schema) in _HEADERS.items()
    }
    problem = components.add("schemas", "Problem", _PROBLEM)
    body = {"content": {"application/problem+json": {"schema": problem}}}
    refused = [e for e in _REFUSALS if credentials or e is not Unauthenticated]

    def add(name: str, description: str, names: Sequence[str], content: Part) -> Reference:
        picked = {header: headers[header] for header in names}
        part = {"description": description, "headers": picked, **content}
        return components.add("responses", name, part)

    def add_refusal(error: type[ProblemError], suffix: str, content: Part) -> Reference:
        names = (*_EVERYWHERE, *_EXTRA.get(error.status, ()))
        return add(f"{error.__name__}{suffix}", f"{error.title}.", names, content)

    return Responses(
        problem,
        {name: headers[name] for name in _OF_AN_ANSWER},
        add("NotModified", "What If-None-Match names is still current.", _OF_AN_ANSWER, {}),
        add("Found", "The headers a GET would answer with.", _OF_AN_ANSWER, {}),
        add("Allowed", "The methods there are here.", (*_EVERYWHERE, "Allow"), {}),
        {error.status: add_refusal(error, "", body) for error in refused},
        {error.status: add_refusal(error, "Bare", {}) for error in refused},
    )


_REFUSALS: Sequence[type[ProblemError]] = (
    BadRequest, Unauthenticated, NotFound, NotAcceptable, TooManyRequests, Unavailable
)  # fmt: skip


def answer(responses: Responses, description: str, content: Mapping[str, Part]) -> dict[str, Any]:
    """A 200 with a body."""
    return {"description": description, "headers": responses.headers, "content": content}
