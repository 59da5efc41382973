"""Text of a stored hash → what verifies it, with its cost bounded before any of it is spent.

Forms: PHC (argon2, scrypt, PBKDF2), crypt (bcrypt, also PHP's), and those of Django, passlib and
Werkzeug, as they occur in the tables that people bring along.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from tilth.errors import BadCredential
from tilth.features.auth.service.passwords import schemes
from tilth.features.auth.service.passwords.argon2id import phc_matches

Scheme = Literal["argon2id", "argon2", "bcrypt", "scrypt", "pbkdf2", "wrapped"]

MOST_CHARACTERS = 1024
"""Of a stored hash."""

MOST_MEMORY_KIB = 256 * 1024
"""Of argon2 and scrypt; one of these runs on each thread of the pool."""
MOST_ARGON2_WORK = 1024 * 1024
"""Kibibytes times passes: about a second and a half."""
MOST_ARGON2_LANES = 16
MOST_SCRYPT_WORK = 2**18 * 8
"""N * r * p: about a second."""
MOST_PBKDF2_ITERATIONS = 4_000_000
MOST_BCRYPT_COST = 15
"""Each step doubles: 15 takes about two and a half seconds."""

_MOST_SALT_BYTES = 128
_DIGEST_BYTES = range(16, 129)


@dataclass(frozen=True, slots=True)
class Form:
    """shape: scheme and cost; equal shapes take equal time. work: of argon2id, kibibytes * passes.

    matches: whether it is the hash of a password's normal bytes; as slow as shape says.
    """

    scheme: Scheme
    shape: str
    matches: Callable[[bytes], bool]
    work: int = 0


def form_from(stored: str) -> Form:
    """Raises BadCredential: "unknown_hash", or "costly_hash" for more than the bounds above."""
    if len(stored) <= MOST_CHARACTERS:
        for pattern, read in _READERS:
            match = pattern.fullmatch(stored)
            if match:
                try:
                    return read(match)
                except (ValueError, binascii.Error) as exc:
                    raise _unknown() from exc
    raise _unknown()


def _unknown() -> BadCredential:
    return BadCredential("unknown_hash", "The stored text is not a password hash of a known form.")


def _argon2(match: re.Match[str]) -> Form:
    kind, *numbers = match.group("kind", "m", "t", "p")
    memory, passes, lanes = map(_number, numbers)
    _bound("memory in KiB", memory, MOST_MEMORY_KIB)
    _bound("memory times passes", memory * passes, MOST_ARGON2_WORK)
    _bound("lanes", lanes, MOST_ARGON2_LANES)
    phc = match.group("phc")
    shape = f"argon2{kind} m={memory},t={passes},p={lanes}"
    scheme: Scheme = "argon2id" if kind == "id" and match.group("owner") is None else "argon2"
    return Form(scheme, shape, partial(phc_matches, phc), memory * passes)


def _bcrypt(match: re.Match[str]) -> Form:
    return _bcrypt_form(match, "bcrypt", schemes.plain)


def _django_bcrypt_sha256(match: re.Match[str]) -> Form:
    return _bcrypt_form(match, "bcrypt sha256", schemes.sha256_hex)


def _passlib_bcrypt_sha256(match: re.Match[str]) -> Form:
    if match.group("v") == "2":
        salt = match.group("salt").encode("ascii")
        return _bcrypt_form(match, "bcrypt hmac", partial(schemes.hmac_sha256_base64, salt))
    return _bcrypt_form(match, "bcrypt sha256", schemes.sha256_base64)


def _bcrypt_form(match: re.Match[str], name: str, prepare: Callable[[bytes], bytes]) -> Form:
    cost = _number(match.group("cost"))
    _bound("bcrypt cost", cost, MOST_BCRYPT_COST)
    # 2y is PHP's name, and 2a the old one, of what 2b is.
    crypted = f"$2b${cost:02}${match.group('salt')}{match.group('digest')}"
    return Form("bcrypt", f"{name} {cost}", partial(schemes.bcrypt_matches, crypted, prepare))


def _scrypt(match: re.Match[str]) -> Form:
    n = 2 ** min(_number(match.group("ln")), 64)
    salt, digest = _loose_base64(match.group("salt")), _loose_base64(match.group("digest"))
    return _scrypt_form(n, match, salt, digest)


def _django_scrypt(match: re.Match[str]) -> Form:
    salt, digest = match.group("salt").encode("utf-8"), _loose_base64(match.group("digest"))
    return _scrypt_form(_number(match.group("n")), match, salt, digest)


def _werkzeug_scrypt(match: re.Match[str]) -> Form:
    salt, digest = match.group("salt").encode("utf-8"), bytes.fromhex(match.group("digest"))
    return _scrypt_form(_number(match.group("n")), match, salt, digest)


def _scrypt_form(n: int, match: re.Match[str], salt: bytes, digest: bytes) -> Form:
    r, p = _number(match.group("r")), _number(match.group("p"))
    if n & (n - 1):
        raise ValueError("N is a power of two.")
    _bound("scrypt memory in KiB", n * r // 8, MOST_MEMORY_KIB)
    _bound("scrypt N * r * p", n * r * p, MOST_SCRYPT_WORK)
    _check_lengths(salt, digest)
    matches = partial(schemes.scrypt_matches, (n, r, p), salt, digest)
    return Form("scrypt", f"scrypt n={n},r={r},p={p}", matches)


def _pbkdf2(match: re.Match[str]) -> Form:
    salt, digest = _loose_base64(match.group("salt")), _loose_base64(match.group("digest"))
    return _pbkdf2_form(match, salt, digest)


def _django_pbkdf2(match: re.Match[str]) -> Form:
    salt, digest = match.group("salt").encode("utf-8"), _loose_base64(match.group("digest"))
    return _pbkdf2_form(match, salt, digest)


def _werkzeug_pbkdf2(match: re.Match[str]) -> Form:
    salt, digest = match.group("salt").encode("utf-8"), bytes.fromhex(match.group("digest"))
    return _pbkdf2_form(match, salt, digest)


def _pbkdf2_form(match: re.Match[str], salt: bytes, digest: bytes) -> Form:
    algorithm, iterations = match.group("hash") or "sha1", _number(match.group("rounds"))
    _bound("PBKDF2 iterations", iterations, MOST_PBKDF2_ITERATIONS)
    _check_lengths(salt, digest)
    shape = f"pbkdf2 {algorithm} i={iterations},l={len(digest)}"
    return Form(
        "pbkdf2", shape, partial(schemes.pbkdf2_matches, algorithm, iterations, salt, digest)
    )


def _wrapped(match: re.Match[str]) -> Form:
    inner = form_from(match.group("phc"))
    salt = _loose_base64(match.group("salt"))
    algorithm, salt_last = match.group("hash"), match.group("order") == "last"
    prepare = partial(schemes.digest_text, algorithm, salt, salt_last=salt_last)
    return Form("wrapped", inner.shape, lambda secret: inner.matches(prepare(secret)), inner.work)


def _number(digits: str) -> int:
    """Raises ValueError also for 0 and for what nobody would write."""
    if len(digits) > 12 or not int(digits):
        raise ValueError("Not a number that is expected here.")
    return int(digits)


def _bound(name: str, value: int, most: int) -> None:
    if value > most:
        raise BadCredential(
            "costly_hash",
            f"The hash asks for {name} of {value:,}; at most {most:,} is granted. "
            "Its owner needs a new password.",
        )


def _check_lengths(salt: bytes, digest: bytes) -> None:
    if len(salt) > _MOST_SALT_BYTES or len(digest) not in _DIGEST_BYTES:
        raise ValueError("Salt or digest is of no length that is written.")


def _loose_base64(text: str) -> bytes:
    """Base64 with or without padding, also passlib's with `.` for `+`."""
    bare = text.rstrip("=").replace(".", "+")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)


_B64 = r"[A-Za-z0-9+/.]+={0,2}"
_BCRYPT = r"\$2[aby]\$(?P<cost>\d\d)\$(?P<salt>[./A-Za-z0-9]{22})(?P<digest>[./A-Za-z0-9]{31})"
_COSTS = r"m=(?P<m>\d+),t=(?P<t>\d+),p=(?P<p>\d+)"

_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Form]], ...] = tuple(
    (re.compile(pattern, re.ASCII), read)
    for pattern, read in (
        (
            rf"(?P<owner>argon2)?(?P<phc>\$argon2(?P<kind>id|i|d)\$(?:v=(?:16|19)\$)?{_COSTS}\${_B64}\${_B64})",
            _argon2,
        ),
        (rf"(?:bcrypt\$)?{_BCRYPT}", _bcrypt),
        (rf"bcrypt_sha256\${_BCRYPT}", _django_bcrypt_sha256),
        (
            r"\$bcrypt-sha256\$v=(?P<v>2),t=2b,r=(?P<cost>\d+)"
            r"\$(?P<salt>[./A-Za-z0-9]{22})\$(?P<digest>[./A-Za-z0-9]{31})",
            _passlib_bcrypt_sha256,
        ),
        (
            r"\$bcrypt-sha256\$2(?P<v>[ab]),(?P<cost>\d+)"
            r"\$(?P<salt>[./A-Za-z0-9]{22})\$(?P<digest>[./A-Za-z0-9]{31})",
            _passlib_bcrypt_sha256,
        ),
        (
            rf"\$scrypt\$ln=(?P<ln>\d+),r=(?P<r>\d+),p=(?P<p>\d+)"
            rf"\$(?P<salt>{_B64})\$(?P<digest>{_B64})",
            _scrypt,
        ),
        (
            rf"scrypt\$(?P<n>\d+)\$(?P<salt>[^$]+)\$(?P<r>\d+)\$(?P<p>\d+)\$(?P<digest>{_B64})",
            _django_scrypt,
        ),
        (
            r"scrypt:(?P<n>\d+):(?P<r>\d+):(?P<p>\d+)\$(?P<salt>[^$]+)\$(?P<digest>[0-9a-f]+)",
            _werkzeug_scrypt,
        ),
        (
            r"\$pbkdf2(?:-(?P<hash>sha1|sha256|sha512))?\$(?:i=)?(?P<rounds>\d+)(?:,l=\d+)?"
            rf"\$(?P<salt>{_B64})\$(?P<digest>{_B64})",
            _pbkdf2,
        ),
        (
            r"pbkdf2_(?P<hash>sha1|sha256|sha512)\$(?P<rounds>\d+)\$(?P<salt>[^$]+)"
            rf"\$(?P<digest>{_B64})",
            _django_pbkdf2,
        ),
        (
            r"pbkdf2:(?P<hash>sha1|sha256|sha512):(?P<rounds>\d+)\$(?P<salt>[^$]+)"
            r"\$(?P<digest>[0-9a-f]+)",
            _werkzeug_pbkdf2,
        ),
        (
            r"\$wrapped\$h=(?P<hash>[a-z0-9]+),o=(?P<order>first|last)\$(?P<salt>[A-Za-z0-9+/]*)"
            r"(?P<phc>\$argon2id\$.+)",
            _wrapped,
        ),
    )
)
