"""Hashing beside the event loop: so many at once, so many waiting, and then 503."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import BoundedSemaphore
from typing import TypeVar

from tilth.errors import BadCredential, Unavailable
from tilth.features.auth.service.passwords.argon2id import FLOOR, Cost, hash_of
from tilth.features.auth.service.passwords.hashes import needs_rehash, shape_of, verify
from tilth.kit.secrets import new_token

RETRY_AFTER_SECONDS = 2

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Verdict:
    """needs_rehash: it matches, and is to be replaced by `HashingPool.hash` of the same password."""

    matches: bool
    needs_rehash: bool = False


class HashingPool:
    """One of a process. Hashing holds memory and a processor, so that only so much of it may run.

    threads: as many as processors; argon2, bcrypt and scrypt leave Python's lock alone. waiting: how
    many more may queue. decoys: one stored hash of every other shape the database has
    (`hashes.shape_of`); a failure then costs the same whichever hash an account has, or none.
    """

    def __init__(
        self,
        cost: Cost = FLOOR,
        *,
        threads: int = 2,
        waiting: int = 32,
        decoys: Sequence[str] = (),
    ) -> None:
        self.cost = cost
        self._decoys = {shape_of(hash_): hash_ for hash_ in (hash_of(new_token(), cost), *decoys)}
        self._places = BoundedSemaphore(threads + waiting)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="tilth-hashing")

    async def hash(self, password: str) -> str:
        """What to store. Raises Unavailable (503, Retry-After) when too many wait."""
        return await self._run(partial(hash_of, password, self.cost))

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Whether password belongs to stored; None, for nobody, takes as long as any other failure.

        Raises Unavailable (503, Retry-After) when too many wait.
        """
        return await self._run(partial(self._verdict, stored, password))

    def close(self) -> None:
        """What is running ends, what waits is cancelled."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _verdict(self, stored: str | None, password: str) -> Verdict:
        if stored is not None and verify(stored, password):
            return Verdict(True, needs_rehash(stored, self.cost))
        # Answer time must not tell who exists, nor whose hash is an old one.
        spent = _shape_or_none(stored)
        for shape, decoy in self._decoys.items():
            if shape != spent:
                verify(decoy, password)
        return Verdict(False)

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        if not self._places.acquire(blocking=False):
            raise Unavailable(
                "Too many people are signing in at this moment. Try again in a few seconds.",
                code="hashing_busy",
                headers={"retry-after": str(RETRY_AFTER_SECONDS)},
            )
        try:
            running = self._threads.submit(work)
        except RuntimeError:
            self._places.release()
            raise
        # Also when the request is gone: a place is free when its work is over or was never begun.
        running.add_done_callback(self._free_place)
        return await asyncio.wrap_future(running)

    def _free_place(self, done: Future[Answer]) -> None:
        self._places.release()


def _shape_or_none(stored: str | None) -> str | None:
    try:
        return None if stored is None else shape_of(stored)
    except BadCredential:
        return None
