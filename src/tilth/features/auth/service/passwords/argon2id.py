"""Password → argon2id hash in PHC form, at a cost fitted to the machine (RFC 9106)."""

import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type, hash_secret

from tilth.kit.secrets import new_bytes

SALT_BYTES = 16
HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cost:
    """memory_kib: held by each hash being made. work: what a guess costs, whoever makes it."""

    memory_kib: int
    passes: int
    lanes: int = 1

    @property
    def work(self) -> int:
        return self.memory_kib * self.passes


FLOOR = Cost(19 * 1024, 2)
"""Source: OWASP Password Storage Cheat Sheet, argon2id."""

# Each step costs half as much again, or up to twice as much.
LADDER = (
    FLOOR,
    Cost(32 * 1024, 2),
    Cost(46 * 1024, 2),
    Cost(64 * 1024, 2),
    Cost(64 * 1024, 3),
    Cost(96 * 1024, 3),
    Cost(128 * 1024, 3),
    Cost(128 * 1024, 4),
)

TARGET_SECONDS = 0.15


def seconds_for(cost: Cost) -> float:
    """How long one hash takes here: the quicker of two, as the first may wait for its memory."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        phc_of(b"calibration", cost)
        times.append(time.perf_counter() - started)
    return min(times)


def calibrated(
    target_seconds: float = TARGET_SECONDS, *, measure: Callable[[Cost], float] = seconds_for
) -> Cost:
    """The costliest step that takes at most target_seconds here, FLOOR even when that takes longer.

    Takes several times target_seconds: call it once, at start, outside the event loop.
    """
    chosen = FLOOR
    for cost in LADDER:
        if measure(cost) > target_seconds:
            break
        chosen = cost
    return chosen


def hash_of(password: str, cost: Cost = FLOOR) -> str:
    """`$argon2id$v=19$m=…,t=…,p=…$salt$hash`, of the password's normal form."""
    return phc_of(normal_bytes(password), cost)


def phc_of(secret: bytes, cost: Cost) -> str:
    hashed = hash_secret(
        secret,
        new_bytes(SALT_BYTES),
        time_cost=cost.passes,
        memory_cost=cost.memory_kib,
        parallelism=cost.lanes,
        hash_len=HASH_BYTES,
        type=Type.ID,
    )
    return hashed.decode("ascii")


def phc_matches(phc: str, secret: bytes) -> bool:
    """phc: checked by the caller, as its cost is whatever it says."""
    try:
        return PasswordHasher().verify(phc, secret)
    except (VerificationError, InvalidHashError):
        return False


def normal_bytes(password: str) -> bytes:
    """What is hashed: NFC in UTF-8, so that é is one password on every keyboard.

    NFC and not NFKC, which would make different passwords equal (NIST SP 800-63B-4 allows both).
    """
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
