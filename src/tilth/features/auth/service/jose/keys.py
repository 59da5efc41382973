"""JSON Web Keys ⇄ keys that sign or verify with one algorithm each (RFC 7517, RFC 8725 3.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.encoding import Members, decoded, encoded
from tilth.features.auth.service.jose.rsa import rsa_weakness
from tilth.kit.secrets import keyed_digest, new_bytes

Edwards = Literal["Ed25519", "EdDSA"]
Elliptic = Literal["ES256", "ES384", "ES512"]
Shared = Literal["HS256", "HS384", "HS512"]
Rsa = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
Algorithm = Literal[Edwards, Elliptic, Shared, Rsa]
"""Ed25519 signs; EdDSA is its older name (RFC 9864), for keys and tokens of others."""

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

MOST_KID_CHARACTERS = 200

# RFC 7518 section 3.2: as many bytes as the hash has.
_LEAST_SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
_MOST_SECRET_BYTES = 1024
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "Ed25519"}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
# Never fetched or trusted here, and of no use to whoever reads the set.
_KEPT_MEMBERS = frozenset({"kty", "crv", "x", "y", "n", "e", "k", "d", "p", "q", "dp", "dq", "qi"})

_Material = OctKey | RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class TokenKey:
    """One key. kid: its name in tokens. can_sign: has the private half, or is a shared secret."""

    kid: str
    algorithm: Algorithm
    can_sign: bool
    is_shared: bool
    material: _Material = field(repr=False, compare=False)
    model: JWSAlgModel = field(repr=False, compare=False)


def new_token_key(algorithm: Algorithm = "Ed25519", kid: str | None = None) -> TokenKey:
    """A fresh key that signs and verifies; kid is its thumbprint (RFC 7638) when not given.

    RSA keys have 3,072 bits and take a second or so to find.
    """
    if algorithm.startswith("HS"):
        return shared_key(new_bytes(_LEAST_SECRET_BYTES[algorithm]), algorithm=algorithm, kid=kid)
    material: _Material
    if algorithm in ("Ed25519", "EdDSA"):
        material = OKPKey.generate_key("Ed25519")
    elif algorithm.startswith("ES"):
        curves = {name: curve for curve, name in _CURVES.items()}
        material = ECKey.generate_key(curves[algorithm])
    else:
        material = RSAKey.generate_key(3072)
    return _key(material, algorithm, kid, can_sign=True)


def shared_key(
    secret: bytes, *, algorithm: Algorithm = "HS256", kid: str | None = None
) -> TokenKey:
    """A key that everybody who verifies can also sign with.

    secret: at least as many unpredictable bytes as the hash has, 32 for HS256; never the text of a
    public key. Raises BadCredential otherwise.
    """
    least = _LEAST_SECRET_BYTES.get(algorithm)
    if least is None:
        raise _weak(f"{algorithm} has no shared secret; use HS256, HS384 or HS512.")
    if not least <= len(secret) <= _MOST_SECRET_BYTES:
        raise _weak(f"The secret for {algorithm} must have {least} to {_MOST_SECRET_BYTES} bytes.")
    if b"-----BEGIN" in secret or b'"kty"' in secret:
        raise _weak("The secret is the text of a key. Make one from random bytes.")
    named = kid or keyed_digest(secret, "kid", "").hex()[:16]
    jwk = {"kty": "oct", "k": encoded(secret)}
    return _key(_imported(OctKey, jwk), algorithm, named, can_sign=True)


def key_from_jwk(jwk: Members, algorithm: Algorithm | None = None) -> TokenKey:
    """A key that somebody else wrote down, public or private.

    algorithm: for keys that do not name theirs, as RSA keys of some providers; one that a key does
    name must be the same. Raises BadCredential: "weak_key" for sizes and forms that do not hold
    (RSA of 2,048 to 8,192 bits, secrets as long as their hash), "bad_key" for all else, also for
    keys that are for encryption.
    """
    kty, named = jwk.get("kty"), jwk.get("alg")
    chosen = _algorithm_of(jwk, algorithm)
    _check_purpose(jwk)
    kid = jwk.get("kid")
    if kid is not None and not (isinstance(kid, str) and 0 < len(kid) <= MOST_KID_CHARACTERS):
        raise _bad(f"kid must be a text of 1 to {MOST_KID_CHARACTERS} characters.")
    if named is not None and named != chosen:
        raise _bad(f"The key is for {str(named)[:20]!r} and not for {chosen}.")
    if kty == "oct":
        secret = jwk.get("k")
        if not isinstance(secret, str):
            raise _bad("A key of kty oct needs its k.")
        return shared_key(decoded(secret), algorithm=chosen, kid=kid)
    kinds: dict[str, type[_Material]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    if not isinstance(kty, str) or kty not in kinds:
        raise _bad("kty must be OKP, EC, RSA or oct.")
    material = _imported(kinds[kty], {n: v for n, v in jwk.items() if n in _KEPT_MEMBERS})
    return _key(material, chosen, kid, can_sign="d" in jwk)


def jwk_from_key(key: TokenKey, *, private: bool = False) -> dict[str, str]:
    """Its JSON Web Key. private: with the secret half, for storing it sealed.

    Raises ValueError for the public half of a shared secret: it has none.
    """
    if key.is_shared and not private:
        raise ValueError(f"{key.kid} is a shared secret and cannot be published.")
    members = key.material.as_dict(private=private and key.can_sign)
    kept = {name: str(value) for name, value in members.items() if name in _KEPT_MEMBERS}
    return {**kept, "kid": key.kid, "alg": key.algorithm, "use": "sig"}


def _key(material: _Material, algorithm: Algorithm, kid: str | None, *, can_sign: bool) -> TokenKey:
    # Not through get_alg, which warns of EdDSA: an old name that others' tokens still have.
    model = JWSRegistry.algorithms[algorithm]
    try:
        model.check_key(material)
        shared = isinstance(material, OctKey)
        named = kid or material.thumbprint()
    except (JoseError, ValueError) as exc:
        raise _bad(f"The key is not one for {algorithm}.") from exc
    if algorithm in ("Ed25519", "EdDSA") and material.get("crv") != "Ed25519":
        raise _bad("Of the Edwards curves only Ed25519 is accepted.")
    return TokenKey(named, algorithm, can_sign, shared, material, model)


def _algorithm_of(jwk: Members, fallback: Algorithm | None) -> Algorithm:
    curve = jwk.get("crv")
    implied = _CURVES.get(curve) if isinstance(curve, str) else None
    name = jwk.get("alg", fallback or implied)
    for algorithm in ALGORITHMS:
        if algorithm == (fallback or name):
            return algorithm
    raise _bad(f"The key must name its algorithm in alg: {', '.join(ALGORITHMS)}.")


def _check_purpose(jwk: Members) -> None:
    if jwk.get("use", "sig") != "sig":
        raise _bad("The key is not for signatures: use must be sig.")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or not {"sign", "verify"} & set(map(str, operations)):
        raise _bad("The key is not for signatures: key_ops must hold sign or verify.")


def _imported(kind: type[_Material], members: Mapping[str, Any]) -> _Material:
    """joserfc's own checks, and those of the curve or modulus, which it puts off until first use."""
    for name, value in members.items():
        if not isinstance(value, str):
            raise _bad(f"{name} must be a text.")
    numbers = {n: decoded(value) for n, value in members.items() if n not in ("kty", "crv")}
    if kind is RSAKey and {"n", "e"} <= numbers.keys():
        modulus, exponent = (int.from_bytes(numbers[name], "big") for name in ("n", "e"))
        if weakness := rsa_weakness(modulus, exponent):
            raise _weak(weakness)
    try:
        material = kind.import_key(dict(members))
        material.get_op_key("sign" if "d" in members or "k" in members else "verify")
    except (JoseError, ValueError, KeyError, TypeError) as exc:
        raise _bad("The key's numbers do not make a key.") from exc
    return material


def _bad(message: str) -> BadCredential:
    return BadCredential("bad_key", message)


def _weak(message: str) -> BadCredential:
    return BadCredential("weak_key", message)
