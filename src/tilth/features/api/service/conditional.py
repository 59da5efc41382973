"""A body and its entity tag → 200, or 304 for a client that has it (RFC 9110 §13.1.2)."""

from collections.abc import Iterable, Mapping

from starlette.requests import Request
from starlette.types import Scope

from tilth.features.api.service.answer import Answer, Header
from tilth.features.api.service.etags import is_known
from tilth.features.api.service.media import JSON

CACHING = "private, no-cache"
"""Cache-Control where the developer says nothing: keep it, and ask before each use."""

VARY = "Accept, Authorization"


def conditional(
    request: Request, body: bytes, etag: str, headers: Mapping[str, str], media_type: str = JSON
) -> Answer:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return tagged(request.scope, body, etag, raw, media_type)


def tagged(
    scope: Scope, body: bytes, etag: str, headers: Iterable[Header], media_type: str = JSON
) -> Answer:
    """headers: beside those that tell of the body; names in lower case."""
    tag = etag.encode()
    if is_known(_if_none_match(scope), etag):
        return Answer(304, b"", [*headers, (b"etag", tag)])
    length, kind = str(len(body)).encode(), _content_type(media_type)
    own = ((b"etag", tag), (b"content-length", length), (b"content-type", kind))
    return Answer(200, body, [*headers, *own])


def _if_none_match(scope: Scope) -> str | None:
    """Fields of one name are one list (RFC 9110 section 5.3)."""
    sent = [value for name, value in scope["headers"] if name == b"if-none-match"]
    return b",".join(sent).decode("latin-1") if sent else None


def _content_type(media_type: str) -> bytes:
    told = f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
    return told.encode()
