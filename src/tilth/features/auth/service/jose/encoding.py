"""Base64url and JSON in the one spelling that is accepted (RFC 7515 section 2, RFC 8725)."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import NoReturn

from tilth.errors import BadCredential

Members = Mapping[str, object]

_SURROGATE = "\\ud"


def decoded(text: str) -> bytes:
    """Bytes of unpadded base64url. Raises BadCredential for padding, other letters, spare bits."""
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as exc:
        raise _malformed("Not base64url without padding.") from exc
    # Python takes "+/" beside "-_", padding of the sender's, and bits that belong to no byte.
    if encoded(content) != text:
        raise _malformed("Base64url in a spelling that is not canonical.")
    return content


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def members_from(content: bytes) -> Members:
    """A JSON object (RFC 8259) whose members have one value each.

    Raises BadCredential for anything else, also for NaN, numbers beyond a double, nesting too deep
    to parse and lone surrogates.
    """
    try:
        text = content.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
        )
        if _SURROGATE in text.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as exc:
        raise _malformed("Not JSON that can be read.") from exc
    if not isinstance(value, dict):
        raise _malformed("Not a JSON object.")
    return value


def bytes_from(members: Members) -> bytes:
    """Compact JSON. Raises ValueError for NaN and infinities, TypeError for what JSON lacks."""
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("A member occurs twice.")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("A number is too large.")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def _malformed(message: str) -> BadCredential:
    return BadCredential("malformed", message)
