"""What the headers of a request say about its body."""

from starlette.types import Scope

BODY_HEADERS = (b"content-length", b"transfer-encoding")


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this lower-case name, None without one."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def has_body(scope: Scope) -> bool:
    """Whether a body may follow. In HTTP/1 one is always announced (RFC 9112 section 6.3)."""
    if not scope.get("http_version", "").startswith("1."):
        return True
    return any(name in BODY_HEADERS for name, _ in scope["headers"])


def is_json(scope: Scope) -> bool:
    """Whether the body is JSON by its Content-Type.

    At least as wide as what FastAPI parses: a body it would read must not slip by.
    """
    media_type = _media_type(scope)
    return media_type.endswith(("/json", "+json"))


def is_upload(scope: Scope) -> bool:
    """Whether the body is a file rather than something to be parsed as a whole."""
    media_type = _media_type(scope)
    parsed_whole = ("", "application/x-www-form-urlencoded", "application/x-ndjson")
    return not (media_type in parsed_whole or media_type.startswith("text/") or is_json(scope))


def is_event_stream(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a response is server-sent events, by its headers."""
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in headers
    )


def _media_type(scope: Scope) -> str:
    value = header(scope, b"content-type")
    return "" if value is None else value.decode("latin-1").partition(";")[0].strip().lower()
