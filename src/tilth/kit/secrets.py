"""Values nobody can guess: made, compared, and kept as what cannot be turned back."""

import hashlib
import hmac
import secrets

TOKEN_BYTES = 32


def new_bytes(count: int = TOKEN_BYTES) -> bytes:
    """From the operating system's generator."""
    return secrets.token_bytes(count)


def new_token(count: int = TOKEN_BYTES) -> str:
    """URL-safe text of count random bytes: 43 characters for the default of 256 bits."""
    return secrets.token_urlsafe(count)


def new_text(alphabet: str, length: int) -> str:
    """Length characters, each drawn evenly from alphabet: log2(len(alphabet)) bits each."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def is_same(one: str | bytes, other: str | bytes) -> bool:
    """Equality whose time tells at most that lengths differ, never where the first difference is."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def token_digest(token: str) -> bytes:
    """What the database keeps of a token: the 32 bytes of its SHA-256, good for a unique index.

    For tokens of at least 112 random bits only (ASVS 6.5.2); anything a person may have chosen or
    has to type needs a keyed or a slow hash.
    """
    return hashlib.sha256(_bytes(token)).digest()


def keyed_digest(key: bytes, purpose: str, token: str) -> bytes:
    """Like token_digest, but of no use to who has the database without the key.

    purpose: what the token is for and whom, so that it is worth nothing elsewhere.
    """
    message = hashlib.sha256(_bytes(purpose)).digest() + _bytes(token)
    return hmac.digest(key, message, "sha256")


def derived_key(secret: str | bytes, purpose: str) -> bytes:
    """32 bytes for one purpose; keys of different purposes say nothing about each other or secret.

    secret: at least 16 unpredictable bytes. Source: RFC 5869 (HKDF) section 2.3, its first block.
    """
    if len(_bytes(secret)) < 16:
        raise ValueError("Keys are derived from a secret of at least 16 bytes.")
    extracted = hmac.digest(bytes(32), _bytes(secret), "sha256")
    return hmac.digest(extracted, _bytes(purpose) + b"\x01", "sha256")


def _bytes(text: str | bytes) -> bytes:
    # A lone surrogate must be compared and refused, not crash.
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
