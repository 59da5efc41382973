"""Stored hash and password → whether they belong together, and whether it is time for a new hash."""

from tilth.errors import BadCredential
from tilth.features.auth.service.passwords.argon2id import Cost, normal_bytes
from tilth.features.auth.service.passwords.forms import form_from
from tilth.features.auth.service.passwords.wrapped import digest_from, wrap

MOST_CHARACTERS = 1024
"""Of a password. Longer ones are refused, not cut."""


def verify(stored: str, password: str) -> bool:
    """Whether stored is a hash of password; False also for one that is not understood or too costly.

    Blocks for as long as the hash costs: requests call it through `pool`.
    """
    if len(password) > MOST_CHARACTERS:
        return False
    try:
        return form_from(stored).matches(normal_bytes(password))
    except (BadCredential, ValueError):
        return False


def needs_rehash(stored: str, cost: Cost) -> bool:
    """Whether a password that has just matched should be stored anew, at cost.

    True for every other scheme, and for argon2id that is cheaper. A costlier hash stays: machines
    that are calibrated differently must not take turns.
    """
    try:
        form = form_from(stored)
    except BadCredential:
        return True
    return form.scheme != "argon2id" or form.work < cost.work


def importable(stored: str, cost: Cost, *, salt_last: bool = False) -> str:
    """What to store for a hash from elsewhere.

    argon2, bcrypt, scrypt and PBKDF2 are kept as they are. Digests that a graphics card reverses
    (MD5, SHA-1, SHA-2 in hexadecimal; `digest:salt`; Django's `md5$salt$digest`) are hashed once
    more at cost. salt_last: they are of password + salt. Every such password is hashed anew at its
    next sign-in. Raises BadCredential: "unknown_hash", or "costly_hash" with the bound.
    """
    weak = digest_from(stored, salt_last=salt_last)
    if weak is not None:
        return wrap(weak, cost)
    form_from(stored)
    return stored


def shape_of(stored: str) -> str:
    """Scheme and cost, such as `bcrypt 12`; equal shapes take equal time, and nothing else is told.

    Raises BadCredential as `importable` does.
    """
    return form_from(stored).shape
