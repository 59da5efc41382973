"""Claims ⇄ JSON Web Tokens of one kind, issuer and audience (RFC 7519, RFC 8725)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tilth.errors import BadCredential
from tilth.features.auth.service.jose.encoding import Members, bytes_from, members_from
from tilth.features.auth.service.jose.jws import MOST_CHARACTERS, sign, verify
from tilth.features.auth.service.jose.keys import TokenKey

ACCESS_TOKEN = "at+jwt"
"""The typ of access tokens (RFC 9068 section 2.1)."""

MOST_LEEWAY = timedelta(seconds=60)

_TIMES = ("exp", "iat", "nbf")
_TEXTS = ("iss", "sub", "jti", "client_id", "scope", "sid")
_LAST_SECOND = 2**53


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must be for. Kinds of token never stand in for each other.

    typ: in the header; None only for issuers that set none, such as of OpenID Connect ID tokens.
    audiences: the token must be for one of them and for nobody else. required: claims that must be
    there, beside exp, iss and aud, which always must. lifetime: the longest from iat to exp, which
    makes iat required. leeway: for clocks that differ, at most 60 s.
    """

    typ: str | None
    issuer: str
    audiences: frozenset[str]
    required: frozenset[str] = frozenset({"sub", "iat"})
    lifetime: timedelta | None = None
    leeway: timedelta = timedelta(seconds=10)

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.leeway <= MOST_LEEWAY:
            raise ValueError("leeway is from 0 to 60 seconds.")
        if not self.issuer or not self.audiences or "" in self.audiences:
            raise ValueError("A token is expected from an issuer and for an audience.")


def sign_token(claims: Members, key: TokenKey, *, typ: str) -> str:
    """A token of these claims; times are whole seconds since 1970.

    Raises ValueError for claims that make it longer than would be read again, or lack exp.
    """
    if "exp" not in claims:
        raise ValueError("A token without exp would be good for ever.")
    text = sign(bytes_from(claims), key, header={"typ": typ})
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"The token has {len(text)} characters; at most {MOST_CHARACTERS}.")
    return text


def read_token(
    text: str, keys: Iterable[TokenKey], expected: Expected, *, now: datetime
) -> Members:
    """The claims of a token that is all it is expected to be.

    Raises BadCredential with the reasons of `jws.verify`, or "wrong_typ", "bad_claim" (missing, or
    of the wrong type), "wrong_issuer", "wrong_audience", "expired", "not_yet".
    """
    signed = verify(text, keys)
    _check_typ(signed.header.get("typ"), expected.typ)
    claims = members_from(signed.payload)
    _check_types(claims)
    missing = sorted(({"exp", "iss", "aud"} | expected.required) - claims.keys())
    if missing:
        raise BadCredential("bad_claim", f"The token lacks {', '.join(missing)}.")
    if claims["iss"] != expected.issuer:
        raise BadCredential("wrong_issuer", "The token is of another issuer.")
    _check_audience(claims["aud"], expected.audiences)
    _check_times(claims, expected, now.timestamp())
    return claims


def _check_typ(typ: object, expected: str | None) -> None:
    """RFC 7515 section 4.1.9: a media type, of which "application/" may be left out."""
    given = typ.lower().removeprefix("application/") if isinstance(typ, str) else typ
    wanted = expected.lower().removeprefix("application/") if expected else expected
    if given != wanted and not (wanted is None and given == "jwt"):
        raise BadCredential("wrong_typ", f"Not a token of typ {expected}.")


def _check_types(claims: Members) -> None:
    for name in _TIMES:
        if name in claims and not _is_time(claims[name]):
            raise BadCredential("bad_claim", f"{name} is not a number of seconds since 1970.")
    for name in _TEXTS:
        if name in claims and not (isinstance(claims[name], str) and claims[name]):
            raise BadCredential("bad_claim", f"{name} is not a text.")


def _is_time(value: object) -> bool:
    # True is a number to Python, and NaN is neither below nor above anything.
    return (
        not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value < _LAST_SECOND
    )


def _check_audience(aud: object, expected: frozenset[str]) -> None:
    named = [aud] if isinstance(aud, str) else aud
    if not isinstance(named, list) or not named or not all(isinstance(a, str) for a in named):
        raise BadCredential("bad_claim", "aud is neither a text nor a list of texts.")
    # A token that others accept too can be passed on by any of them.
    if not set(named) <= expected:
        raise BadCredential("wrong_audience", "The token is for somebody else.")


def _check_times(claims: Members, expected: Expected, now: float) -> None:
    leeway = expected.leeway.total_seconds()
    expires, issued, begins = (_seconds(claims, name) for name in _TIMES)
    if expires is None or now >= expires + leeway:
        raise BadCredential("expired", "The token has expired.")
    if max(issued or 0.0, begins or 0.0) > now + leeway:
        raise BadCredential("not_yet", "The token is not good yet.")
    longest = expected.lifetime.total_seconds() if expected.lifetime else math.inf
    if expires - (0.0 if issued is None else issued) > longest:
        raise BadCredential("bad_claim", "The token is good for longer than is allowed.")


def _seconds(claims: Members, name: str) -> float | None:
    value = claims.get(name)
    return float(value) if isinstance(value, int | float) else None
