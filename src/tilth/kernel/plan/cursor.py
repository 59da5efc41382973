"""A place in an ordered list ⇄ the opaque text that `cursor=` carries."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tilth.errors import BadRequest, bad_parameter
from tilth.kernel.plan.intent import Intent

Scalar = None | int | float | str | bytes | bool

Direction = Literal["after", "before"]

MOST_CHARACTERS = 2000

_VERSION = b"\x01"
_TAG_BYTES = 16
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class CursorKeys:
    """keys: the sort keys of the row to go on from, or one offset where rows have no identity."""

    direction: Direction
    keys: tuple[Scalar, ...]


class Signer:
    """Makes cursors that only it can make, read or change.

    They are sealed and not merely signed because a sort key may be a field the caller may not
    read: the primary key always breaks ties. The tag over the content is also the nonce that hides
    it (the synthetic IV construction of RFC 5297 section 2.6), so equal places give equal cursors.
    """

    def __init__(self, secret: bytes) -> None:
        if not secret:
            raise ValueError("A Signer needs a secret.")
        self._tag_key = hmac.digest(secret, b"tilth cursor tag", "sha256")
        self._mask_key = hmac.digest(secret, b"tilth cursor mask", "sha256")

    def seal(self, binding: str, direction: Direction, keys: Sequence[Scalar]) -> str:
        """URL-safe text of at most 2,000 characters, good for lists with this binding.

        Raises BadRequest when keys are too long to be carried: texts of over a kilobyte.
        """
        content = _packed(direction, keys)
        tag = self._tag(binding, content)
        sealed = _VERSION + tag + self._masked(tag, content)
        text = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
        if len(text) > MOST_CHARACTERS:
            detail = "A value to sort by is too long to page by. Page with offset, or sort by another field."
            raise bad_parameter("sort", "sort_value_too_long", detail)
        return text

    def open(self, binding: str, text: str) -> CursorKeys:
        """What was sealed. Raises BadRequest for everything that is not such a cursor, unaltered."""
        sealed = _bytes_from(text)
        tag, masked = sealed[1 : 1 + _TAG_BYTES], sealed[1 + _TAG_BYTES :]
        content = self._masked(tag, masked)
        if not hmac.compare_digest(tag, self._tag(binding, content)):
            raise _bad_cursor()
        return _unpacked(content)

    def _tag(self, binding: str, content: bytes) -> bytes:
        bound = hashlib.sha256(binding.encode("utf-8", "surrogatepass")).digest()
        return hmac.digest(self._tag_key, _VERSION + bound + content, "sha256")[:_TAG_BYTES]

    def _masked(self, tag: bytes, content: bytes) -> bytes:
        """Content hidden or, as it is its own inverse, hidden content shown."""
        size = len(content)
        stream = hashlib.shake_256(self._mask_key + tag).digest(size)
        mixed = int.from_bytes(content, "big") ^ int.from_bytes(stream, "big")
        return mixed.to_bytes(size, "big")


def binding_of(intent: Intent) -> str:
    """What a cursor is bound to: which rows in which order.

    The same for pages that differ in limit, fields, expand or count, or in the order of lookups.
    """
    which = [intent.resource, intent.key, intent.relation, sorted(intent.lookups)]
    return _ENCODER.encode([*which, intent.filter, intent.q, intent.sort])


def _packed(direction: Direction, keys: Sequence[Scalar]) -> bytes:
    """JSON, because Python's reads back every integer, every float and every text exactly."""
    packed = _ENCODER.encode([direction == "after", *map(_item_from, keys)])
    return packed.encode("utf-8", "surrogatepass")


def _item_from(key: Scalar) -> Any:
    return [base64.b64encode(key).decode("ascii")] if isinstance(key, bytes) else key


def _unpacked(content: bytes) -> CursorKeys:
    is_after, *items = json.loads(content.decode("utf-8", "surrogatepass"))
    keys = (base64.b64decode(i[0]) if isinstance(i, list) else i for i in items)
    return CursorKeys("after" if is_after else "before", tuple(keys))


def _bytes_from(text: str) -> bytes:
    """Decode text in its one spelling: base64 has several, and an altered cursor must not pass."""
    if len(text) > MOST_CHARACTERS or not text.isascii():
        raise _bad_cursor()
    try:
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as exc:
        raise _bad_cursor() from exc
    if base64.urlsafe_b64encode(sealed).rstrip(b"=") != text.encode("ascii"):
        raise _bad_cursor()
    if len(sealed) <= 1 + _TAG_BYTES or sealed[:1] != _VERSION:
        raise _bad_cursor()
    return sealed


def _bad_cursor() -> BadRequest:
    detail = (
        "The cursor does not belong to this list, or was changed on the way. "
        "Start again from the first page."
    )
    return bad_parameter("cursor", "bad_cursor", detail)
