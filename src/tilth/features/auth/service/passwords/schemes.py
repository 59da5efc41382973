"""What the schemes compute; how much of it they may is `forms`' business."""

import base64
import hashlib
import hmac
import logging
from collections.abc import Callable

from tilth.kit.secrets import is_same

BCRYPT_BYTES = 72
"""All that bcrypt ever looks at."""

logger = logging.getLogger("tilth.auth")


def bcrypt_matches(crypted: str, prepare: Callable[[bytes], bytes], secret: bytes) -> bool:
    """False for a password bcrypt would cut: it must not match by its first 72 bytes alone."""
    try:
        import bcrypt
    except ModuleNotFoundError:
        logger.error("Stored bcrypt hashes cannot be verified: pip install 'tilth[bcrypt]'.")
        return False
    prepared = prepare(secret)
    fits = len(prepared) <= BCRYPT_BYTES and b"\0" not in prepared
    # Worked through all the same, so that time does not tell which account has a bcrypt hash.
    matches = bcrypt.checkpw(prepared if fits else b"too long", crypted.encode("ascii"))
    return matches and fits


def scrypt_matches(cost: tuple[int, int, int], salt: bytes, digest: bytes, secret: bytes) -> bool:
    """cost: N, r and p."""
    n, r, p = cost
    made = hashlib.scrypt(
        secret, salt=salt, n=n, r=r, p=p, maxmem=192 * n * r + 2**20, dklen=len(digest)
    )
    return is_same(made, digest)


def pbkdf2_matches(
    algorithm: str, iterations: int, salt: bytes, digest: bytes, secret: bytes
) -> bool:
    made = hashlib.pbkdf2_hmac(algorithm, secret, salt, iterations, len(digest))
    return is_same(made, digest)


def digest_text(algorithm: str, salt: bytes, secret: bytes, *, salt_last: bool) -> bytes:
    """The digest in small hexadecimal digits, of salt and password in their order."""
    salted = secret + salt if salt_last else salt + secret
    return hashlib.new(algorithm, salted, usedforsecurity=False).hexdigest().encode("ascii")


def plain(secret: bytes) -> bytes:
    return secret


def sha256_hex(secret: bytes) -> bytes:
    """Django's bcrypt_sha256."""
    return hashlib.sha256(secret).hexdigest().encode("ascii")


def sha256_base64(secret: bytes) -> bytes:
    """passlib's bcrypt-sha256, version 1."""
    return base64.b64encode(hashlib.sha256(secret).digest())


def hmac_sha256_base64(salt: bytes, secret: bytes) -> bytes:
    """passlib's bcrypt-sha256, version 2."""
    return base64.b64encode(hmac.digest(salt, secret, "sha256"))
