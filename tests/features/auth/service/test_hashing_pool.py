"""Hashing waits its turn, is refused when too many wait, and tells nobody who exists."""

import asyncio
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from tilth.errors import Unavailable
from tilth.features.auth.service.passwords.argon2id import Cost, hash_of
from tilth.features.auth.service.passwords.hashes import importable
from tilth.features.auth.service.passwords.pool import HashingPool, Verdict

CHEAP = Cost(64, 1)
# Long enough for others to come meanwhile.
SLOW = Cost(32 * 1024, 3)
BCRYPT = "$2b$04$Z1ifYgmiI6qIdNR2YK9uKux9Isoyc5o33oRubpm0pAX2AqNnMw6hu"


@pytest.fixture
def pool() -> Iterator[HashingPool]:
    made = HashingPool(CHEAP, decoys=[BCRYPT])
    yield made
    made.close()


def test_what_is_hashed_is_verified(pool: HashingPool) -> None:
    async def story() -> list[Verdict]:
        stored = await pool.hash("secret")
        return [await pool.verify(stored, "secret"), await pool.verify(stored, "other")]

    assert asyncio.run(story()) == [Verdict(True), Verdict(False)]


@pytest.mark.parametrize(
    "stored",
    [None, "", "x", BCRYPT, hash_of("other", CHEAP)],
    ids=["nobody", "empty", "x", "bcrypt", "argon2id"],
)
def test_nobody_and_a_wrong_password_are_answered_alike(
    pool: HashingPool, stored: str | None
) -> None:
    assert asyncio.run(pool.verify(stored, "secret")) == Verdict(False)


@pytest.mark.parametrize(
    "stored",
    [importable("5ebe2294ecd0e0f08eab7690d2a6ee69", CHEAP), hash_of("secret", Cost(32, 1))],
    ids=["md5", "cheaper"],
)
def test_an_old_hash_that_matches_is_to_be_replaced(pool: HashingPool, stored: str) -> None:
    assert asyncio.run(pool.verify(stored, "secret")) == Verdict(True, needs_rehash=True)


class Held:
    """A cost that is paid when the test says so, as a real one may be paid too soon."""

    passes, lanes = CHEAP.passes, CHEAP.lanes

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.let_go.set()

    @property
    def memory_kib(self) -> int:
        assert self.let_go.wait(timeout=30)
        return CHEAP.memory_kib


def test_too_many_are_told_to_come_back() -> None:
    held = Held()
    pool = HashingPool(cast("Cost", held), threads=1, waiting=1)
    held.let_go.clear()

    async def story() -> list[str | BaseException]:
        running, waiting, *late = (asyncio.ensure_future(pool.hash("x")) for _ in range(5))
        answers = await asyncio.gather(*late, return_exceptions=True)
        held.let_go.set()
        await asyncio.gather(running, waiting)
        return answers

    refused = [answer for answer in asyncio.run(story()) if isinstance(answer, Unavailable)]
    pool.close()

    assert len(refused) == 3
    assert (refused[0].status, refused[0].code) == (503, "hashing_busy")
    assert refused[0].headers == {"retry-after": "2"}


def test_a_place_is_free_again_when_its_work_is_over_or_given_up() -> None:
    pool = HashingPool(SLOW, threads=1, waiting=1)

    async def story() -> str:
        running, given_up = (asyncio.ensure_future(pool.hash("x")) for _ in range(2))
        await asyncio.sleep(0)
        given_up.cancel()
        await running
        one, other = await asyncio.gather(pool.hash("x"), pool.hash("y"))
        return one + other

    assert asyncio.run(story()).count("$argon2id$") == 2
    pool.close()


def test_the_loop_goes_on_meanwhile_and_threads_are_as_many_as_asked_for() -> None:
    pool = HashingPool(SLOW, threads=2, waiting=8)

    async def story() -> tuple[int, int]:
        work = asyncio.gather(*(pool.hash("x") for _ in range(4)))
        turns = most = 0
        while not work.done():
            turns += 1
            hashing = [t for t in threading.enumerate() if t.name.startswith("tilth-hashing")]
            most = max(most, len(hashing))
            await asyncio.sleep(0.001)
        return turns, most

    turns, most = asyncio.run(story())
    pool.close()

    assert turns > 10
    assert most == 2
