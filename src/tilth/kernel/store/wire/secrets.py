"""Which columns hold what nobody should see on a screen."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement

SECRET = "secret"
"""Column(info={"secret": True}) says so; False says that the name is no sign of it."""

_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "token", "hash", "digest", "salt", "otp"}
    | {"totp", "seed", "credential", "credentials", "cookie", "pin", "cvv", "iban"}
)
_PAIRS = frozenset({("api", "key"), ("private", "key"), ("secret", "key"), ("access", "key")})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_secret(name: str, column: ColumnElement[Any]) -> bool:
    """name: of the attribute. Goes by what the column says of itself, then by both names."""
    said = getattr(column, "info", {}).get(SECRET)
    if said is not None:
        return bool(said)
    return any(_is_secret_name(each) for each in (name, getattr(column, "name", None) or name))


def _is_secret_name(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return not _WORDS.isdisjoint(words) or not _PAIRS.isdisjoint(pairwise(words))
