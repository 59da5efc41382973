"""Content ⇄ text that only this application can make, read or change: AEAD under a ring of keys."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tilth.errors import BadCredential
from tilth.kit.secrets import is_same, new_bytes

MOST_CHARACTERS = 3800
"""Of sealed text: browsers drop a cookie of more than 4,096 bytes, its name and attributes included."""

KEY_BYTES = 32

_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_SALT_BYTES = 24
_TIME_BYTES = 8
_TAG_BYTES = 16
_HEADER_BYTES = len(_VERSION) + _KEY_ID_BYTES + _SALT_BYTES
# Every message has a key of its own, so that a nonce can never meet the same key twice.
_NONCE = bytes(12)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was sealed. is_old_key: sealed with a key that only opens; seal it again."""

    content: bytes = field(repr=False)
    issued_at: datetime
    expires_at: datetime | None
    is_old_key: bool


class Sealer:
    """Seals with the newest key and opens with every key of the ring.

    keys: newest first, 32 bytes each, for this purpose only (`kit.secrets.derived_key`). Taking a
    key out of the ring ends everything sealed with it.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"A Sealer needs keys of {KEY_BYTES} bytes, the newest first.")
        self._newest = _key_id(keys[0])
        self._keys = {_key_id(key): key for key in reversed(keys)}

    def seal(
        self, context: str, content: bytes, *, now: datetime, lifetime: timedelta | None
    ) -> str:
        """URL-safe text that opens under the same context until now + lifetime, or for ever.

        context: what and whose it is, such as "session cookie" or "totp of 0198…"; not kept secret.
        Raises ValueError when the text would be longer than MOST_CHARACTERS.
        """
        salt = new_bytes(_SALT_BYTES)
        expires = _milliseconds(now + lifetime) if lifetime is not None else 0
        plain = _packed(_milliseconds(now)) + _packed(expires) + content
        header = _VERSION + self._newest + salt
        cipher = _cipher(self._keys[self._newest], salt)
        sealed = header + cipher.encrypt(_NONCE, plain, _bound(header, context))
        text = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
        if len(text) > MOST_CHARACTERS:
            raise ValueError(
                f"Sealed, this has {len(text)} characters; at most {MOST_CHARACTERS} fit a cookie. "
                "Keep the content in the database and seal its key."
            )
        return text

    def open(self, context: str, text: str, *, now: datetime) -> Opened:
        """What was sealed under this context and has not expired.

        Raises BadCredential: "malformed", "unknown_key", "altered" (or of another context) or
        "expired".
        """
        sealed = _bytes_from(text)
        header, ciphertext = sealed[:_HEADER_BYTES], sealed[_HEADER_BYTES:]
        key_id, salt = header[1 : 1 + _KEY_ID_BYTES], header[1 + _KEY_ID_BYTES :]
        if key_id not in self._keys:
            raise BadCredential("unknown_key", "Sealed with a key that is not in the ring.")
        try:
            bound = _bound(header, context)
            plain = _cipher(self._keys[key_id], salt).decrypt(_NONCE, ciphertext, bound)
        except InvalidTag as exc:
            raise BadCredential("altered", "Altered, or sealed for something else.") from exc
        return _opened(plain, now, is_old_key=not is_same(key_id, self._newest))


def _opened(plain: bytes, now: datetime, *, is_old_key: bool) -> Opened:
    issued = int.from_bytes(plain[:_TIME_BYTES], "big")
    expires = int.from_bytes(plain[_TIME_BYTES : 2 * _TIME_BYTES], "big")
    if expires and _milliseconds(now) >= expires:
        raise BadCredential("expired", "Sealed text has expired.")
    expires_at = _moment(expires) if expires else None
    return Opened(plain[2 * _TIME_BYTES :], _moment(issued), expires_at, is_old_key)


def _cipher(key: bytes, salt: bytes) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(hmac.digest(key, b"tilth sealed message" + salt, "sha256"))


def _key_id(key: bytes) -> bytes:
    return hmac.digest(key, b"tilth sealing key", "sha256")[:_KEY_ID_BYTES]


def _bound(header: bytes, context: str) -> bytes:
    return header + hashlib.sha256(context.encode("utf-8", "surrogatepass")).digest()


def _bytes_from(text: str) -> bytes:
    """Decode text in its one spelling: base64 has several, and an altered cookie must not pass."""
    malformed = BadCredential("malformed", "Not text that was sealed here.")
    if len(text) > MOST_CHARACTERS or not text.isascii():
        raise malformed
    try:
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as exc:
        raise malformed from exc
    if base64.urlsafe_b64encode(sealed).rstrip(b"=") != text.encode("ascii"):
        raise malformed
    if sealed[:1] != _VERSION or len(sealed) < _HEADER_BYTES + 2 * _TIME_BYTES + _TAG_BYTES:
        raise malformed
    return sealed


def _packed(number: int) -> bytes:
    return number.to_bytes(_TIME_BYTES, "big")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
