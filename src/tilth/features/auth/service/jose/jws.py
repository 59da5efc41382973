"""Payload ⇄ compact JWS under a key that is known beforehand (RFC 7515 section 7.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from joserfc.errors import JoseError

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.encoding import (
    Members,
    bytes_from,
    decoded,
    encoded,
    members_from,
)
from tilth.features.auth.service.jose.keys import TokenKey

MOST_CHARACTERS = 8192
MOST_HEADER_CHARACTERS = 2048

# A key that comes with the token, or that the token tells to fetch, proves nothing (RFC 8725
# section 3.10). No extension is understood, so none may be critical, and b64 changes what is signed.
_REFUSED_MEMBERS = ("jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature holds for. header: every member of it was signed too."""

    header: Members
    payload: bytes
    key: TokenKey


def sign(payload: bytes, key: TokenKey, *, header: Mapping[str, str] | None = None) -> str:
    """Compact JWS with alg and kid of the key. Raises ValueError for a key that only verifies."""
    if not key.can_sign:
        raise ValueError(f"{key.kid} is a public key and cannot sign.")
    members = {**(header or {}), "alg": key.algorithm, "kid": key.kid}
    signed = f"{encoded(bytes_from(members))}.{encoded(payload)}"
    signature = key.model.sign(signed.encode("ascii"), key.material)
    return f"{signed}.{encoded(signature)}"


def verify(text: str, keys: Iterable[TokenKey]) -> Signed:
    """What was signed with one of keys.

    The key is the one whose kid the header names; a token without kid is for the only key there is.
    Its algorithm is that key's, whatever the header would like. Raises BadCredential: "malformed",
    "unknown_key", "wrong_algorithm" or "bad_signature". Never fetches anything.
    """
    if len(text) > MOST_CHARACTERS or not text.isascii() or text.count(".") != 2:
        raise BadCredential("malformed", "Not a compact JWS of three parts.")
    first, second, third = text.split(".")
    if len(first) > MOST_HEADER_CHARACTERS:
        raise BadCredential("malformed", "The header is too long.")
    header = members_from(decoded(first))
    key = _key_for(header, keys)
    signature, payload = decoded(third), decoded(second)
    if not _holds(key, f"{first}.{second}".encode("ascii"), signature):
        raise BadCredential("bad_signature", "The signature is not of this key over this content.")
    return Signed(header, payload, key)


def _key_for(header: Members, keys: Iterable[TokenKey]) -> TokenKey:
    refused = [name for name in _REFUSED_MEMBERS if name in header]
    if refused:
        raise BadCredential("malformed", f"{refused[0]} is not accepted in the header.")
    known = {key.kid: key for key in keys}
    kid = header.get("kid", next(iter(known)) if len(known) == 1 else None)
    key = known.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise BadCredential("unknown_key", "The token's kid is none of the keys in use.")
    if header.get("alg") != key.algorithm:
        raise BadCredential("wrong_algorithm", f"Tokens of this key are signed by {key.algorithm}.")
    return key


def _holds(key: TokenKey, signed: bytes, signature: bytes) -> bool:
    try:
        return bool(signature) and key.model.verify(signed, signature, key.material)
    except (JoseError, ValueError):
        return False
