"""Identifiers that sort by the time they were made."""

import random
import time
from uuid import UUID

VERSION = 0x7 << 76
VARIANT = 0b10 << 62


def uuid7() -> UUID:
    """A new version 7 UUID: Unix time to a quarter of a microsecond, then 62 random bits.

    Those that one thread makes sort in the order they were made. Unique, not secret: whoever sees a
    few may guess others. Source: RFC 9562 sections 5.7 and 6.2, method 3.
    """
    return UUID(int=_new_value())


def uuid7_text() -> str:
    """The text of a new version 7 UUID, at a fraction of the cost of making the object."""
    digits = f"{_new_value():032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _new_value() -> int:
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = (rest << 12) // 1_000_000
    # Reseeded by Python in every forked process, so workers do not repeat each other.
    return milliseconds << 80 | VERSION | fraction << 64 | VARIANT | random.getrandbits(62)
