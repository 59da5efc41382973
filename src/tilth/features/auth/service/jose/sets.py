"""JWKS documents ⇄ keys (RFC 7517 section 5)."""

import json
from collections.abc import Iterable, Sequence

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.encoding import Members, members_from
from tilth.features.auth.service.jose.keys import (
    ALGORITHMS,
    Algorithm,
    TokenKey,
    jwk_from_key,
    key_from_jwk,
)

MOST_BYTES = 128 * 1024
MOST_KEYS = 100


def jwks_from_keys(keys: Iterable[TokenKey]) -> str:
    """The document for `/.well-known/jwks.json`: public halves only, shared secrets left out."""
    return json.dumps({"keys": [jwk_from_key(key) for key in keys if not key.is_shared]})


def keys_from_jwks(document: bytes, algorithm: Algorithm | None = None) -> Sequence[TokenKey]:
    """The keys of a document that are for signatures; others are passed over.

    algorithm: for keys that do not name theirs. Raises BadCredential: "malformed", "weak_key",
    "bad_key", and "mixed_keys" for sets nobody should trust: one name for two keys, shared secrets
    among public keys, private keys among public ones, several keys of which one has no kid.
    """
    if len(document) > MOST_BYTES:
        raise BadCredential("malformed", f"A key set has at most {MOST_BYTES:,} bytes.")
    listed = members_from(document).get("keys")
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise BadCredential("malformed", f"keys must be a list of at most {MOST_KEYS} keys.")
    jwks = [jwk for jwk in listed if isinstance(jwk, dict) and _is_for_signatures(jwk, algorithm)]
    _check_names(jwks)
    keys = [key_from_jwk(jwk, None if "alg" in jwk else algorithm) for jwk in jwks]
    if len({key.is_shared for key in keys}) > 1 or len({key.can_sign for key in keys}) > 1:
        raise BadCredential("mixed_keys", "Secret and public keys are mixed in one set.")
    return keys


def _is_for_signatures(jwk: Members, algorithm: Algorithm | None) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("kty") in ("OKP", "EC", "RSA", "oct")
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and ("verify" in operations or "sign" in operations)
        and (jwk.get("alg", algorithm) in ALGORITHMS or ("alg" not in jwk and "crv" in jwk))
    )


def _check_names(jwks: Sequence[Members]) -> None:
    names = [jwk.get("kid") for jwk in jwks]
    if len(names) > 1 and (None in names or len(set(map(str, names))) < len(names)):
        raise BadCredential("mixed_keys", "Every key of a set needs a kid of its own.")
