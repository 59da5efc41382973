"""Codes that people read and type: made, spelled, and kept as a keyed digest."""

from tilth.kit.secrets import keyed_digest, new_text

# Crockford's base 32: no I, L, O or U, so that nothing is mistaken when read aloud or typed.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BITS_PER_CHARACTER = 5

RECOVERY_CODES = 10
RECOVERY_CHARACTERS = 24
MAILED_CHARACTERS = 8

_GROUP = 4
_LONGEST_TYPED = 64
_MISREAD = str.maketrans("OIL", "011")


def new_recovery_codes(count: int = RECOVERY_CODES) -> list[str]:
    """Codes of 120 bits in six groups, `7Q2M-…`: enough that a fast hash is safe (ASVS 6.5.2)."""
    return [_grouped(new_text(ALPHABET, RECOVERY_CHARACTERS)) for _ in range(count)]


def new_mailed_code() -> str:
    """A code of 40 bits, `7Q2M-K9XR`. Few enough that the number of tries must be limited."""
    return _grouped(new_text(ALPHABET, MAILED_CHARACTERS))


def code_digest(key: bytes, purpose: str, typed: str) -> bytes:
    """What is stored of a code and looked up when one is typed: 32 bytes.

    Small letters, spaces and dashes do not matter, and O, I and L are read as 0, 1 and 1. Every
    text has a digest, so that a malformed code is answered exactly as a wrong one.
    purpose: what the code opens and whose it is, such as "recovery of 0198…".
    """
    return keyed_digest(key, purpose, normal_code(typed))


def normal_code(typed: str) -> str:
    """One spelling for everything that means the same code."""
    # Cut, since nobody types more; the rest still tells a longer text from the code it begins with.
    kept = "".join(c for c in typed[: 4 * _LONGEST_TYPED] if not c.isspace() and c not in "-‐–—_")
    return kept[: _LONGEST_TYPED + 1].upper().translate(_MISREAD)


def _grouped(code: str) -> str:
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))
