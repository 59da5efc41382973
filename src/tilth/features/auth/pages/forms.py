"""What a form has sent, and where a browser may be sent afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from starlette.requests import Request

from tilth.errors import BadRequest, NotFound, UnsupportedMedia

HOME = "/account"
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 50


async def form_of(request: Request) -> Mapping[str, str]:
    """Raises UnsupportedMedia and BadRequest."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != FORM:
        raise UnsupportedMedia(f"A form is sent as {FORM}.")
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as exc:
        raise BadRequest("This is no form, or too large a one.") from exc
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadRequest("A field was sent twice.")
    return found


def next_of(given: Mapping[str, str]) -> str:
    """A path of this site; HOME for everything that could lead elsewhere."""
    text = given.get("next", "")
    try:
        parts = urlsplit(text)
    except ValueError:
        return HOME
    is_path = text.startswith("/") and not text.startswith("//")
    is_plain = text.isascii() and text.isprintable() and "\\" not in text
    return text if is_path and is_plain and not parts.scheme and not parts.netloc else HOME


def id_in(given: Mapping[str, str]) -> UUID:
    """Raises NotFound."""
    try:
        return UUID(given.get("id", ""))
    except ValueError as exc:
        raise NotFound("There is nothing of this id.") from exc
