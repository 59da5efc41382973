"""API keys: text that scanners recognise and that tells a typing mistake from a revoked key."""

import re
import string
import zlib
from dataclasses import dataclass, field

from tilth.errors import BadCredential
from tilth.kit.secrets import new_text, token_digest

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

PREFIX_PATTERN = r"[a-z][a-z0-9]{1,15}(?:_[a-z0-9]{1,15})?"
ID_CHARACTERS = 12
SECRET_CHARACTERS = 43
"""Of 62 letters and digits each: 256 bits."""
CHECK_CHARACTERS = 6

KEY_PATTERN = (
    rf"\b{PREFIX_PATTERN}_[0-9A-Za-z]{{{ID_CHARACTERS}}}"
    rf"_[0-9A-Za-z]{{{SECRET_CHARACTERS}}}_[0-9A-Za-z]{{{CHECK_CHARACTERS}}}\b"
)
"""For secret scanners and log filters; the last part lets them leave out what only looks alike."""

MOST_CHARACTERS = 100

_WHOLE = re.compile(KEY_PATTERN, re.ASCII)
_PREFIX = re.compile(PREFIX_PATTERN, re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKey:
    """text: shown once, then forgotten. shown: what lists may show. lookup and digest are stored."""

    text: str = field(repr=False)
    lookup: str
    digest: bytes
    shown: str


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as somebody sent it: find it by lookup, then compare digest with `kit.secrets.is_same`."""

    prefix: str
    lookup: str
    digest: bytes


def new_key(prefix: str = "tilth") -> NewKey:
    """`tilth_<12 for look-up>_<43 secret>_<6 of CRC-32>`.

    prefix: two to sixteen small letters and digits, such as the name of the service; it may have a
    second part, as in "shop_live". Raises ValueError for any other.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            'The prefix of API keys is 2 to 16 of a-z and 0-9, such as "shop" or "shop_live".'
        )
    lookup = new_text(ALPHABET, ID_CHARACTERS)
    body = f"{prefix}_{lookup}_{new_text(ALPHABET, SECRET_CHARACTERS)}"
    text = f"{body}_{_check(body)}"
    return NewKey(text, lookup, token_digest(text), f"{prefix}_{lookup}_…")


def looks_like_key(text: str) -> bool:
    """Whether a Bearer token is to be read as an API key at all; a JWT never is."""
    return len(text) <= MOST_CHARACTERS and _WHOLE.fullmatch(text) is not None


def presented_key(text: str) -> PresentedKey:
    """The parts of a key that was sent, found without the database.

    Raises BadCredential: "not_a_key" for other text, "mistyped" when the check characters show
    that some of it was changed or lost.
    """
    if not looks_like_key(text):
        raise BadCredential("not_a_key", "Not an API key of the form prefix_id_secret_check.")
    body, _, check = text.rpartition("_")
    if check != _check(body):
        raise BadCredential(
            "mistyped", "The API key was mistyped or cut: its check does not match."
        )
    prefix, lookup, _ = body.rsplit("_", 2)
    return PresentedKey(prefix, lookup, token_digest(text))


def _check(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(CHECK_CHARACTERS):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
