"""Identifiers that sort by the time they were made."""

import random
import time
from uuid import UUID

VERSION = 0x7 << 76
VARIANT = 0b10 << 62


def uuid7() -> UUID:
    """A new version 7 UUID: 48 bits of Unix milliseconds, then 74 random bits.

    Unique, not secret: whoever sees a few may guess others. Source: RFC 9562 section 5.7.
    """
    return UUID(int=_new_value())


def uuid7_text() -> str:
    """The text of a new version 7 UUID, at a fraction of the cost of making the object."""
    digits = f"{_new_value():032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _new_value() -> int:
    milliseconds = time.time_ns() // 1_000_000
    # Reseeded by Python in every forked process, so workers do not repeat each other.
    bits = random.getrandbits(74)
    return milliseconds << 80 | VERSION | bits >> 62 << 64 | VARIANT | bits & (1 << 62) - 1
