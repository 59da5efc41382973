"""New password → what is wrong with it: too short, too long, or what everybody would try."""

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tilth.errors import Fault
from tilth.features.auth.service.passwords.blocklist import Blocklist, folded
from tilth.features.auth.service.passwords.hashes import MOST_CHARACTERS

_LEAST_CONTEXT = 3
_LEAST_CORE = 4


@dataclass(frozen=True, slots=True)
class Rules:
    """Lengths are code points of the normal form. blocklist: None accepts what everybody uses.

    Source: NIST SP 800-63B-4 section 3.1.1.2; no rules on kinds of characters, as it demands.
    """

    shortest: int = 15
    shortest_with_factor: int = 8
    longest: int = MOST_CHARACTERS
    blocklist: Blocklist | None = None


def password_faults(
    password: str,
    rules: Rules,
    *,
    context: Collection[str] = (),
    has_second_factor: bool = False,
    pointer: str = "/password",
) -> Sequence[Fault]:
    """At most one fault, with a sentence that says what to do; none for a good password.

    context: what somebody who knows the account would try: username, e-mail address, name of the
    service. A password that is little more than one of these is refused where there is a blocklist.
    """
    fault = _length_fault(password, rules, has_second_factor)
    if fault is None and rules.blocklist is not None:
        fault = _guess_fault(password, rules.blocklist, context)
    return () if fault is None else (Fault(pointer, *fault),)


def _length_fault(password: str, rules: Rules, has_factor: bool) -> tuple[str, str] | None:
    # Looked at first: normalising a megabyte would take its time.
    if len(password) > rules.longest:
        return "password_too_long", f"A password has at most {rules.longest:,} characters."
    length = len(unicodedata.normalize("NFC", password))
    shortest = rules.shortest_with_factor if has_factor else rules.shortest
    if length >= shortest:
        return None
    detail = (
        f"Use at least {shortest} characters; this has {length}. Several words are easy to keep."
    )
    return "password_too_short", detail


def _guess_fault(
    password: str, blocklist: Blocklist, context: Collection[str]
) -> tuple[str, str] | None:
    plain = folded(password)
    if _is_one_piece_repeated(plain) or _is_sequence(password):
        detail = "Repeats and rows of neighbours are tried first. Use several words instead."
        return "password_predictable", detail
    if _is_made_of(plain, context):
        detail = "This is little more than a name somebody may know. Use words that have nothing to do with you."
        return "password_personal", detail
    if password in blocklist or _has_common_core(password, blocklist):
        detail = (
            "Many people use this password, so it is tried first. Use several words of your own."
        )
        return "password_common", detail
    return None


def _is_one_piece_repeated(text: str) -> bool:
    """`abcabcabc`: found inside its own double, away from the ends; a last part may be cut."""
    return any(
        text == (text[:size] * (len(text) // size + 1))[: len(text)]
        for size in range(1, len(text) // 2 + 1)
    )


def _is_sequence(password: str) -> bool:
    """Whether three of four characters are the one before, its neighbour, or 0 after 9."""
    points = [ord(character) for character in password.casefold()]
    steps = [after - before for before, after in pairwise(points)]
    near = sum(1 for step in steps if -1 <= step <= 1 or step == ord("0") - ord("9"))
    return 4 * near >= 3 * len(steps)


def _has_common_core(password: str, blocklist: Blocklist) -> bool:
    """`Password2026!!`: a common word is at least half of it, and the rest is digits and signs."""
    core = password.strip("".join({c for c in password if not c.isalpha()}))
    is_half = len(core) >= _LEAST_CORE and 2 * len(core) >= len(password)
    return is_half and (core in blocklist or _is_common_repeat(core, blocklist))


def _is_common_repeat(core: str, blocklist: Blocklist) -> bool:
    half = core[: len(core) // 2]
    return 2 * half == core and half in blocklist


def _is_made_of(plain: str, context: Collection[str]) -> bool:
    """Whether at most half is left when the words of context are taken out."""
    words = {folded(part) for text in context for part in (text, text.rpartition("@")[0] or text)}
    rest = plain
    for word in sorted(words, key=len, reverse=True):
        if len(word) >= _LEAST_CONTEXT:
            rest = rest.replace(word, "")
    return 2 * len(rest) <= len(plain)
