"""One secret of the application → a key for each purpose, none of which tells of another."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes

SECRET_BYTES = 32


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes (RFC 5869 with one block and no salt: the secret is as good as random)."""
    return hmac.new(secret.encode(), f"tilth {purpose}\x01".encode(), sha256).digest()


def digest_of(secret: str | bytes) -> bytes:
    """What is kept of a secret of 128 random bits or more: nothing slower is needed for those."""
    return sha256(secret if isinstance(secret, bytes) else secret.encode()).digest()


def new_secret() -> str:
    """256 random bits as base64url text, 43 characters."""
    return spelled(token_bytes(SECRET_BYTES))


def successor_of(key: bytes, token: str) -> str:
    """The secret that follows a token: the same each time it is asked, and nobody else's to guess."""
    return spelled(hmac.new(key, token.encode(), sha256).digest())


def spelled(secret: bytes) -> str:
    return urlsafe_b64encode(secret).rstrip(b"=").decode()
