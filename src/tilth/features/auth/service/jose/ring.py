"""Keys through time: published, then signing, then only verifying, then gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tilth.features.auth.service.jose.keys import TokenKey


@dataclass(frozen=True, slots=True)
class RingKey:
    """signs_from: until then it is published only, so that every verifier has it in time.

    expires_at: nothing it signed is accepted from then on; None while it has no successor.
    """

    key: TokenKey
    signs_from: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Frozen: rotating gives a new ring, to be stored and swapped in as a whole."""

    keys: tuple[RingKey, ...]

    def __post_init__(self) -> None:
        names = [each.key.kid for each in self.keys]
        if len(set(names)) < len(names):
            raise ValueError("Two keys of the ring have the same kid.")


def signing_key(ring: KeyRing, now: datetime) -> TokenKey:
    """The newest key that may sign. Raises LookupError when none may."""
    ready = [
        each
        for each in ring.keys
        if each.key.can_sign and each.signs_from <= now and not _is_over(each, now)
    ]
    if not ready:
        raise LookupError("No key of the ring may sign now. Rotate, or add one.")
    return max(ready, key=lambda each: each.signs_from).key


def verifying_keys(ring: KeyRing, now: datetime) -> Sequence[TokenKey]:
    """Every key that is not over, also those that are yet to sign: what JWKS shows."""
    return [each.key for each in ring.keys if not _is_over(each, now)]


def rotated(
    ring: KeyRing, successor: TokenKey, now: datetime, *, notice: timedelta, overlap: timedelta
) -> KeyRing:
    """A ring where successor signs after notice and the others verify for overlap after that.

    notice: how long verifiers may keep a key set before they look again. overlap: the longest life
    of a token plus leeway. Keys that are over are dropped.
    """
    takes_over = now + notice
    ends = takes_over + overlap
    kept = [
        RingKey(each.key, each.signs_from, min(each.expires_at or ends, ends))
        for each in ring.keys
        if not _is_over(each, now)
    ]
    return KeyRing((*kept, RingKey(successor, takes_over)))


def _is_over(each: RingKey, now: datetime) -> bool:
    return each.expires_at is not None and now >= each.expires_at
