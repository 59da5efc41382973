"""Every error Tilth raises on purpose, in one tree.

TilthError
├── SetupError          a mistake in the developer's code or configuration: found before serving
├── ProblemError        a request that cannot be answered: one RFC 9457 problem each
│   ├── BadRequest          400  malformed: unknown parameter, bad value, bad cursor
│   ├── Unauthenticated     401  no or bad credentials
│   ├── Forbidden           403  may see but not do
│   ├── NotFound            404  absent or hidden, indistinguishable
│   ├── MethodNotAllowed    405  a method that this address does not have
│   ├── NotAcceptable       406  no representation the client accepts
│   ├── Conflict            409  the row would break a unique or foreign key
│   ├── PreconditionFailed  412  the row is not the one the client has seen
│   ├── PayloadTooLarge     413
│   ├── UnsupportedMedia    415  a body of a type that is not read here
│   ├── Invalid             422  a body that can be read and is not valid: every fault at once
│   ├── PreconditionRequired 428 If-Match is asked for here
│   ├── TooManyRequests     429
│   └── Unavailable         503  database down, busy or too slow: try again
├── BadCredential       a token, code, key, cookie or hash that does not hold: why is for the log
├── QueryError          a query set that cannot be: a mistake in the code that makes it
│   ├── LazyLoad        a relation that was not loaded, touched where nothing can be loaded
│   └── SeveralRows     get() that matches more than one
└── CommandError        an expected failure of a command line call: one sentence, no traceback
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

MOST_PLACES = 20
"""Named in the sentence of a 422; errors has them all."""


class TilthError(Exception):
    """Root of the tree: catch it to catch everything Tilth raises on purpose."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in the developer's code or configuration.

    code: stable, for suppression and docs, such as "schema.unknown_type".
    subject: model and column, such as "Hero.age".
    where: "file.py:12" when known.
    """

    code: str
    subject: str
    reason: str
    remedy: str
    level: str = "error"
    where: str | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.level}[{self.code}] {self.subject}: {self.reason} {self.remedy}"


class SetupError(TilthError):
    """The application cannot be served as written. Carries every finding, not only the first."""

    def __init__(self, *findings: Finding) -> None:
        self.findings = findings
        super().__init__("\n".join(map(str, findings)))


class BadCredential(TilthError):
    """A token, code, key, cookie or stored hash does not hold.

    Whoever sent it is told that it does not, never why. reason: a stable word for log and audit,
    such as "expired". The message quotes no part of the credential.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class QueryError(TilthError):
    """A query set or an object is used in a way that cannot work; no fault of the request."""


class LazyLoad(QueryError):
    """A relation was touched that has not been loaded, where loading it is not possible."""


class SeveralRows(QueryError):
    """`get()` matches more than one row."""


class CommandError(TilthError):
    """An expected failure of a command: what happened, and in hint what to do."""

    def __init__(self, message: str, hint: str | None = None, exit_code: int = 1) -> None:
        self.message, self.hint, self.exit_code = message, hint, exit_code
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Fault:
    """One invalid part of a request. pointer: "?sort" for a parameter, "/name" for a body member."""

    pointer: str
    code: str
    detail: str


@dataclass(slots=True)
class ProblemError(TilthError):
    """A request that cannot be answered; becomes application/problem+json (RFC 9457)."""

    detail: str
    code: str = ""
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal server error"
    default_code: ClassVar[str] = "internal"

    def __post_init__(self) -> None:
        self.code = self.code or self.default_code
        Exception.__init__(self, self.detail)


class BadRequest(ProblemError):
    status, title, default_code = 400, "Bad request", "bad_request"


class Unauthenticated(ProblemError):
    """Always answered with a WWW-Authenticate challenge (RFC 9110 section 11.6.1)."""

    status, title, default_code = 401, "Authentication required", "unauthenticated"


class Forbidden(ProblemError):
    status, title, default_code = 403, "Forbidden", "forbidden"


class NotFound(ProblemError):
    status, title, default_code = 404, "Not found", "not_found"


class MethodNotAllowed(ProblemError):
    status, title, default_code = 405, "Method not allowed", "method_not_allowed"


class NotAcceptable(ProblemError):
    status, title, default_code = 406, "Not acceptable", "not_acceptable"


class Conflict(ProblemError):
    """What is stored does not allow the change: a unique key is taken, a foreign key leads nowhere."""

    status, title, default_code = 409, "Conflict", "conflict"


class PreconditionFailed(ProblemError):
    """The row has changed since the client read it (RFC 9110 section 13.1.1)."""

    status, title, default_code = 412, "Precondition failed", "precondition_failed"


class PayloadTooLarge(ProblemError):
    status, title, default_code = 413, "Payload too large", "payload_too_large"


class UnsupportedMedia(ProblemError):
    status, title, default_code = 415, "Unsupported media type", "unsupported_media_type"


class Invalid(ProblemError):
    status, title, default_code = 422, "Unprocessable content", "invalid"


class PreconditionRequired(ProblemError):
    """Changes without If-Match are refused here (RFC 6585 section 3)."""

    status, title, default_code = 428, "Precondition required", "precondition_required"


class TooManyRequests(ProblemError):
    status, title, default_code = 429, "Too many requests", "too_many_requests"


class Unavailable(ProblemError):
    """The database is down, busy or too slow; the same request may succeed later."""

    status, title, default_code = 503, "Service unavailable", "unavailable"


def bad_parameter(name: str, code: str, detail: str) -> BadRequest:
    """A 400 that names one query parameter, such as `?sort`."""
    return BadRequest(detail, faults=(Fault(f"?{name}", code, detail),), code=code)


def invalid(faults: Sequence[Fault]) -> Invalid:
    """A 422 that lists every fault."""
    places = list(dict.fromkeys(fault.pointer[:80] or "the body" for fault in faults))
    listed = [*places[:MOST_PLACES], f"{len(places) - MOST_PLACES} more"]
    named = ", ".join(places if len(places) <= MOST_PLACES else listed)
    return Invalid(f"Not valid: {named}. See errors.", faults=faults)
