"""Access tokens: short-lived, signed, and asked about each time they are used.

The key is made from the secret of the application, so that every worker has it and none is stored;
changing the secret rotates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tilth.errors import BadCredential
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.service.jose.encoding import encoded
from tilth.features.auth.service.jose.keys import TokenKey, key_from_jwk, shared_key
from tilth.features.auth.service.jose.sets import jwks_from_keys
from tilth.features.auth.service.jose.tokens import (
    ACCESS_TOKEN,
    Expected,
    read_token,
    sign_token,
)
from tilth.kit.ids import uuid7_text
from tilth.kit.secrets import derived_key

if TYPE_CHECKING:
    from tilth.features.auth.settings import Algorithm

LONGEST = timedelta(minutes=15)

REQUIRED = frozenset({"sub", "iat", "jti", "sid", "epoch", "auth_time", "acr"})


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token says. family: the sign-in it came from."""

    proof: Proof
    family: UUID
    epoch: int
    scopes: str | None
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """keys: that which signs first, then those that only verify. lifetime: 15 minutes at most."""

    keys: Sequence[TokenKey]
    issuer: str
    lifetime: timedelta

    def sign(
        self, proof: Proof, family: UUID, epoch: int, scopes: str | None, now: datetime
    ) -> str:
        issued = int(now.timestamp())
        claims: dict[str, object] = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": str(proof.user_id),
            "client_id": self.issuer,
            "iat": issued,
            "exp": issued + int(self.lifetime.total_seconds()),
            "jti": uuid7_text(),
            "sid": str(family),
            "epoch": epoch,
            "auth_time": int(proof.at.timestamp()),
            "acr": str(proof.assurance),
            "amr": list(proof.methods),
        }
        if scopes is not None:
            claims["scope"] = scopes
        return sign_token(claims, self.keys[0], typ=ACCESS_TOKEN)

    def read(self, text: str, now: datetime) -> Access:
        """Raises BadCredential."""
        expected = Expected(ACCESS_TOKEN, self.issuer, frozenset({self.issuer}), REQUIRED, LONGEST)
        claims = read_token(text, self.keys, expected, now=now)
        try:
            return Access(
                Proof(
                    UUID(str(claims["sub"])),
                    int(str(claims["acr"])),
                    tuple(_texts(claims.get("amr", ()))),
                    datetime.fromtimestamp(int(str(claims["auth_time"])), now.tzinfo),
                ),
                UUID(str(claims["sid"])),
                int(str(claims["epoch"])),
                str(claims["scope"]) if "scope" in claims else None,
                datetime.fromtimestamp(int(str(claims["exp"])), now.tzinfo),
            )
        except (ValueError, OverflowError) as exc:
            raise BadCredential("bad_claim", "A claim is not what was signed here.") from exc

    def jwks(self) -> str:
        return jwks_from_keys(self.keys)


def token_keys(secrets: Sequence[str], algorithm: Algorithm) -> list[TokenKey]:
    """One of each secret of the application, the present one first."""
    return [_key(derived_key(secret, "access tokens"), algorithm) for secret in secrets]


def _key(seed: bytes, algorithm: Algorithm) -> TokenKey:
    if algorithm == "HS256":
        return shared_key(seed)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "Ed25519", "d": encoded(seed), "x": encoded(public)}
    return key_from_jwk(jwk, "Ed25519")


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []
