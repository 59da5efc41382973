"""Digests too weak to keep → argon2id over them, so that a stolen table is worth little at once."""

import base64
import re
from dataclasses import dataclass

from tilth.features.auth.service.passwords.argon2id import Cost, phc_of

_ALGORITHM_OF_LENGTH = {
    32: "md5",
    40: "sha1",
    56: "sha224",
    64: "sha256",
    96: "sha384",
    128: "sha512",
}
_NAMED = re.compile(r"(?P<name>md5|sha1|sha256|sha512)\$(?P<salt>[^$]*)\$(?P<digest>[0-9A-Fa-f]+)")
_BARE = re.compile(r"(?P<digest>[0-9A-Fa-f]+)(?::(?P<salt>.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class WeakDigest:
    """digest: small hexadecimal digits. salt_last: of password + salt, not of salt + password."""

    algorithm: str
    digest: str
    salt: bytes
    salt_last: bool


def digest_from(stored: str, *, salt_last: bool) -> WeakDigest | None:
    """`digest`, `digest:salt`, or Django's `md5$salt$digest`; None for other text."""
    match = _NAMED.fullmatch(stored) or _BARE.fullmatch(stored)
    if match is None:
        return None
    digest, salt = match.group("digest").lower(), match.group("salt") or ""
    algorithm = _ALGORITHM_OF_LENGTH.get(len(digest))
    if algorithm is None or match.groupdict().get("name", algorithm) != algorithm:
        return None
    return WeakDigest(algorithm, digest, salt.encode("utf-8"), salt_last)


def wrap(weak: WeakDigest, cost: Cost) -> str:
    """`$wrapped$h=md5,o=first$salt$argon2id$…`, which `forms` reads."""
    salt = base64.b64encode(weak.salt).decode("ascii").rstrip("=")
    order = "last" if weak.salt_last else "first"
    phc = phc_of(weak.digest.encode("ascii"), cost)
    return f"$wrapped$h={weak.algorithm},o={order}${salt}{phc}"
