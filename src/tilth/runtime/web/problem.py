"""Errors become RFC 9457 problem responses, whoever raised them."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol, cast

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tilth.errors import Fault, ProblemError
from tilth.kit.text import sentence_list

MEDIA_TYPE = "application/problem+json"
REQUEST_ID = "request_id"

logger = logging.getLogger("tilth.web")

# RFC 9110 section 11.6.1 asks for a challenge with every 401; a client told to wait must be told
# for how long.
HEADERS_OF_STATUS: Mapping[int, Mapping[str, str]] = {
    401: {"www-authenticate": 'Bearer realm="tilth"'},
    429: {"retry-after": "1"},
    503: {"retry-after": "1"},
}

# RFC 9110 section 9 and RFC 5789; any other method is unknown (501), not misplaced (405).
KNOWN_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"}
)

Handler = Callable[[Request, Any], Awaitable[Response]]


class ValidationError(Protocol):
    """What pydantic and FastAPI raise: a list of mistakes with type, loc and msg."""

    def errors(self) -> Sequence[Mapping[str, Any]]: ...


def request_id_of(scope: Scope) -> str | None:
    """The id given to this request by middleware.request_id, None outside of it."""
    return cast("str | None", scope.get("state", {}).get(REQUEST_ID))


def problem_type(code: str) -> str:
    """The `type` member: one name per error code, the same on every deployment.

    A name, not an address: what it means is in docs/errors. Clients may compare it or `code`.
    """
    return f"urn:tilth:error:{code}"


def problem_response(error: ProblemError, request_id: str | None) -> Response:
    """The answer to a request that failed with error; notes on the error go to the log only.

    A header without a value takes away the one that its status has by default.
    """
    for note in getattr(error, "__notes__", ()):
        logger.warning("%s %s (request_id=%s)", error.status, note, request_id)
    return _response(
        status=error.status,
        title=error.title,
        detail=error.detail,
        code=error.code,
        request_id=request_id,
        faults=error.faults,
        headers=error.headers,
    )


def exception_handlers(
    validation_error_types: Iterable[type[Exception]] = (),
) -> dict[type[Exception], Handler]:
    """Handlers for a Starlette or FastAPI application, one per family of errors.

    validation_error_types: what the framework raises for a request that does not fit its
    declaration, such as FastAPI's RequestValidationError; each has `.errors()`.
    """
    return {
        ProblemError: _answer_problem,
        HTTPException: _answer_http_exception,
        **dict.fromkeys(validation_error_types, _answer_validation_error),
        Exception: _answer_unexpected,
    }


def problem_of_status(status: int, code: str, detail: str, request_id: str) -> Response:
    """A problem that no part of the application raised, such as one found before it was asked."""
    return _response(
        status=status,
        title=_phrase(status),
        detail=detail,
        code=code,
        request_id=request_id,
        headers={"x-request-id": request_id},
    )


async def _answer_problem(request: Request, error: ProblemError) -> Response:
    return problem_response(error, request_id_of(request.scope))


async def _answer_unexpected(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return _Silence()
    # Not logged here: the error travels on to the server, which logs it with its traceback.
    return unexpected_response(request_id_of(request.scope))


class _Silence(Response):
    """For a client that has gone; the error travels on to the guard, which knows it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        return


def unexpected_response(request_id: str | None) -> Response:
    """The 500 for a mistake of ours: says nothing of what went wrong.

    The server ends the connection after it, which a client must know to not send the next request on it.
    """
    detail = "The server failed to answer this request. Report it with its request_id."
    return problem_response(ProblemError(detail, headers={"connection": "close"}), request_id)


async def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    status = error.status_code
    if status == 405 and request.method not in KNOWN_METHODS:
        status = 501
    if status < 200 or status in (204, 205, 304):
        return Response(status_code=status, headers=error.headers)
    title = _phrase(status)
    explained = isinstance(error.detail, str) and error.detail != _phrase(error.status_code)
    return _response(
        status=status,
        title=title,
        detail=error.detail if explained else _default_detail(status, request),
        code=title.lower().replace(" ", "_").replace("-", "_"),
        request_id=request_id_of(request.scope),
        headers=error.headers,
        data=None if isinstance(error.detail, str) else error.detail,
    )


async def _answer_validation_error(request: Request, error: ValidationError) -> Response:
    faults = [_fault_from(mistake) for mistake in error.errors()]
    places = sentence_list(dict.fromkeys(fault.pointer or "the body" for fault in faults))
    return _response(
        status=422,
        title="Unprocessable content",
        detail=f"Not valid: {places}. See errors.",
        code="invalid",
        request_id=request_id_of(request.scope),
        faults=faults,
    )


def _response(
    *,
    status: int,
    title: str,
    detail: str,
    code: str,
    request_id: str | None,
    faults: Sequence[Fault] = (),
    headers: Mapping[str, str] | None = None,
    data: Any = None,
) -> Response:
    body: dict[str, Any] = {
        "type": problem_type(code),
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [
            {"pointer": fault.pointer, "code": fault.code, "detail": fault.detail}
            for fault in faults
        ],
        "request_id": request_id,
    }
    if data is not None:
        body["data"] = data
    given = {name.lower(): value for name, value in (headers or {}).items()}
    sent = {"cache-control": "no-store", **HEADERS_OF_STATUS.get(status, {}), **given}
    return Response(
        orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={name: value for name, value in sent.items() if value},
    )


def _default_detail(status: int, request: HTTPConnection) -> str:
    """A sentence for an error that came with none, such as the router's own 404 and 405."""
    path = request.scope["path"]
    method = request.scope["method"]
    if status == 404:
        return f"There is nothing at {path}."
    if status == 405:
        return f"{method} is not allowed on {path}. The Allow header lists what is."
    if status == 501:
        return f"The method {method} is not known here."
    return f"{_phrase(status)}."


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _fault_from(mistake: Mapping[str, Any]) -> Fault:
    return Fault(
        pointer=_pointer_from(tuple(mistake.get("loc", ()))),
        code=str(mistake.get("type", "invalid")),
        detail=str(mistake.get("msg", "Not valid.")),
    )


def _pointer_from(loc: tuple[str | int, ...]) -> str:
    """("body", "tags", 0) → /tags/0 · ("query", "limit") → ?limit · ("path", "id") → {id}."""
    source, *parts = loc or ("body",)
    name = ".".join(map(str, parts))
    if source == "query":
        return f"?{name}"
    if source == "path":
        return f"{{{name}}}"
    if source == "body":
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return f"{source}:{name}"
