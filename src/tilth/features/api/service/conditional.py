"""A body and its entity tag → 200, or 304 for a client that has it (RFC 9110 §13.1.2)."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from tilth.features.api.service.etags import is_known
from tilth.features.api.service.media import JSON

CACHING = "private, no-cache"
"""Cache-Control where the developer says nothing: keep it, and ask before each use."""

VARY = "Accept, Authorization"


def conditional(
    request: Request, body: bytes, etag: str, headers: Mapping[str, str], media_type: str = JSON
) -> Response:
    tagged = {**headers, "etag": etag}
    if is_known(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=tagged)
    return Response(body, media_type=media_type, headers=tagged)
