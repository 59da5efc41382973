"""The answers every operation may give, with their headers and the problem they carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tilth.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    PreconditionFailed,
    PreconditionRequired,
    ProblemError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from tilth.features.api.service.media import HAL, HAL_FORMS
from tilth.features.api.service.openapi.components import Components, Part, Reference

_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}

_HEADERS: Mapping[str, tuple[str, Part]] = {
    "X-Request-ID": ("Names this request in the server's log.", _TEXT),
    "Server-Timing": ("Where the time went.", _TEXT),
    "Cache-Control": ("Who may keep the answer, and for how long (RFC 9111).", _TEXT),
    "Vary": ("Request headers the answer depends on.", _TEXT),
    "ETag": ("Version, for If-None-Match and If-Match (RFC 9110).", _TEXT),
    "Link": ("Related addresses: next, prev, service-desc and others (RFC 8288).", _TEXT),
    "Content-Disposition": ("Name to save the answer under, for text/csv.", _TEXT),
    "Idempotency-Replayed": ("`true`: made before, by a request with the same key.", _TEXT),
    "Allow": ("Methods there are here.", _TEXT),
    "Accept-Post": ("Media types of a body that POST takes here.", _TEXT),
    "Accept-Patch": ("Media types of a body that PATCH takes here (RFC 5789).", _TEXT),
    "Location": ("Address of the row that was created.", _TEXT),
    "Preference-Applied": ("What was asked with Prefer and is done (RFC 7240).", _TEXT),
    "Retry-After": ("Seconds to wait.", _SECONDS),
    "WWW-Authenticate": ("How to sign in.", _TEXT),
}

_LINKED: Part = {
    "type": "object",
    "properties": {"_links": {"type": "object"}, "_embedded": {"type": "object"}},
    "required": ["_links"],
}
_WITH_FORMS: Part = {
    **_LINKED,
    "properties": {**_LINKED["properties"], "_templates": {"type": "object"}},
    "required": ["_links", "_templates"],
}
HYPERMEDIA: Mapping[str, Part] = {HAL: {"schema": _LINKED}, HAL_FORMS: {"schema": _WITH_FORMS}}

REHEARSAL: Part = {
    "title": "Rehearsal",
    "description": "What a change would come to. Nothing of it is kept.",
    "type": "object",
    "properties": {
        "status": {"type": "integer", "description": "Of the answer to the change itself."},
        "headers": {"type": "object", "additionalProperties": _TEXT},
        "body": {},
        "events": {
            "type": "array",
            "description": "What would be told of rows that you may read, with what the change "
            "takes along.",
            "items": {
                "type": "object",
                "properties": {
                    "type": {"type": "string"},
                    "resource": {"type": "string"},
                    "key": {"type": "array", "items": {"type": "string"}},
                    "after": {"type": ["object", "null"]},
                },
                "required": ["type", "resource", "key", "after"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["status", "headers", "body", "events"],
    "additionalProperties": False,
}

_EVERYWHERE = ("X-Request-ID", "Server-Timing")
_OF_AN_ANSWER = (
    *_EVERYWHERE, "Cache-Control", "Vary", "ETag", "Link", "Content-Disposition", "Allow"
)  # fmt: skip

_OF_OPTIONS = ("Allow", "Accept-Post", "Accept-Patch")
_OF_A_CHANGE = (
    *_EVERYWHERE, "Cache-Control", "Vary", "ETag", "Preference-Applied", "Idempotency-Replayed"
)  # fmt: skip

_EXTRA = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    412: ("ETag",),
    415: ("Accept-Post", "Accept-Patch"),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

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

    problem: the schema of every refusal with a body. headers: references by name. found, allowed:
    what HEAD and OPTIONS answer.
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
    refused = [e for e in _REFUSALS if credentials or e is not Unauthenticated]

    def add(name: str, description: str, names: Sequence[str]) -> Reference:
        part = {"description": description, "headers": _picked(headers, names)}
        return components.add("responses", name, part)

    return Responses(
        problem,
        headers,
        add("NotModified", "What If-None-Match names is still current.", _OF_AN_ANSWER),
        add("Found", "The headers a GET would answer with.", _OF_AN_ANSWER),
        add("Allowed", "The methods there are here.", (*_EVERYWHERE, *_OF_OPTIONS)),
        {e.status: components.add("responses", *_refusal(e, headers, problem)) for e in refused},
        {e.status: components.add("responses", *_refusal(e, headers)) for e in refused},
    )


def refused_changes(components: Components, responses: Responses) -> Mapping[int, Reference]:
    """How what changes rows is refused; whoever may not is asked to sign in, if there is a way or not."""
    made = {
        e.status: components.add("responses", *_refusal(e, responses.headers, responses.problem))
        for e in _CHANGE_REFUSALS
        if e.status not in responses.with_body
    }
    return {**responses.with_body, **made}


def answer(responses: Responses, description: str, content: Mapping[str, Part]) -> dict[str, Any]:
    """A 200 with a body."""
    headers = _picked(responses.headers, _OF_AN_ANSWER)
    return {"description": description, "headers": headers, "content": content}


def changed(
    responses: Responses,
    description: str,
    content: Mapping[str, Part] | None = None,
    extra: Sequence[str] = (),
) -> dict[str, Any]:
    """A 200, 201 or 204. extra: headers beside those of every change."""
    headers = _picked(responses.headers, (*_OF_A_CHANGE, *extra))
    body = {"content": content} if content else {}
    return {"description": description, "headers": headers, **body}


def _refusal(
    error: type[ProblemError], headers: Mapping[str, Reference], problem: Reference | None = None
) -> tuple[str, Part]:
    """(name, response); without a body where there is no problem to put into it."""
    names = (*_EVERYWHERE, *_EXTRA.get(error.status, ()))
    part: dict[str, Any] = {
        "description": f"{error.title}.",
        "headers": _picked(headers, names),
    }
    if problem is None:
        return f"{error.__name__}Bare", part
    return error.__name__, {**part, "content": {"application/problem+json": {"schema": problem}}}


def _picked(headers: Mapping[str, Reference], names: Sequence[str]) -> dict[str, Reference]:
    return {name: headers[name] for name in names}


_REFUSALS: Sequence[type[ProblemError]] = (
    BadRequest, Unauthenticated, NotFound, NotAcceptable, TooManyRequests, Unavailable
)  # fmt: skip
_CHANGE_REFUSALS: Sequence[type[ProblemError]] = (
    Unauthenticated, Forbidden, MethodNotAllowed, Conflict, PreconditionFailed, PayloadTooLarge,
    UnsupportedMedia, Invalid, PreconditionRequired,
)  # fmt: skip
