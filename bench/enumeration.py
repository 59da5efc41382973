"""Whether the time of an answer tells who has an account: known and unknown names, one after the other.

    python bench/enumeration.py [--samples 300] [--database sqlite:///file.db]

Each pair of requests asks for an account that is there and for one that is not, in an order that chance
decides, without a network in between. The test is Mann and Whitney's, of two sides, by its normal
approximation: `tells` is the chance that an answer for a known name is slower than one for an unknown
name, 0.5 when time says nothing; z beyond 3.29 (p < 0.001) is called separable. As a check of the
check itself, the last row has three milliseconds added to one side; less drowns in what answers are
delayed by on purpose.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter

import httpx
from sqlalchemy.orm import Session

from tilth import Auth, Tilth
from tilth.features.auth.adapters.development import DevelopmentMail
from tilth.features.auth.models.users import new_account
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.names import Name
from tilth.features.auth.settings import Limits
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings

PASSWORD, OTHER = "correct horse battery", "another horse battery"
SEPARABLE = 3.29
ADDED_SECONDS = 0.003
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Way:
    """field: what the name is sent as. password: whether one is sent."""

    path: str
    field: str = "identifier"
    password: bool = False

    def body(self, name: str) -> dict[str, str]:
        return {self.field: name} | ({"password": OTHER} if self.password else {})


WAYS = (
    Way("/auth/sign-in", password=True),
    Way("/auth/token", password=True),
    Way("/auth/sign-up", "email", password=True),
    Way("/auth/forgot"),
    Way("/auth/magic-link"),
)


@dataclass(frozen=True, slots=True)
class Result:
    """Seconds of each answer."""

    known: list[float]
    unknown: list[float]

    @property
    def tells(self) -> float:
        return _u(self.known, self.unknown) / (len(self.known) * len(self.unknown))

    @property
    def z(self) -> float:
        m, n = len(self.known), len(self.unknown)
        deviation: float = (m * n * (m + n + 1) / 12) ** 0.5
        return (_u(self.known, self.unknown) - m * n / 2) / deviation

    def row(self, name: str) -> str:
        known, unknown = (1000 * statistics.median(each) for each in (self.known, self.unknown))
        verdict = "SEPARABLE" if abs(self.z) > SEPARABLE else "no difference"
        return (
            f"{name:28} {known:9.2f} {unknown:9.2f} {known - unknown:+8.3f} "
            f"{self.tells:7.3f} {self.z:+7.2f}  {verdict}"
        )


async def timed(client: httpx.AsyncClient, way: Way, name: str) -> float:
    begun = perf_counter()
    answer = await client.post(way.path, json=way.body(name))
    spent = perf_counter() - begun
    assert answer.status_code in (202, 401), answer.text
    # What was begun by the answer is over before the next request.
    await asyncio.sleep(0.002)
    return spent


async def measured(app: Tilth, way: Way, samples: int, chance: random.Random) -> Result:
    """Failures of one account are delayed after a few, so each sample has names of its own."""
    transport = httpx.ASGITransport(app=app)
    result = Result([], [])
    async with httpx.AsyncClient(transport=transport, base_url="http://bench.test") as client:
        for n in range(-WARM_UP, samples):
            pair = [(known(n), result.known), (unknown(n), result.unknown)]
            chance.shuffle(pair)
            for name, times in pair:
                spent = await timed(client, way, name)
                if n >= 0:
                    times.append(spent)
    return result


def known(number: int) -> str:
    return f"bob{number + WARM_UP:05}@example.org"


def unknown(number: int) -> str:
    return f"nob{number + WARM_UP:05}@example.org"


async def make_accounts(app: Tilth, samples: int) -> None:
    """All with one hash: it is computed for each request anyway."""
    accounts = app.freeze().states["auth"]
    assert isinstance(accounts, Accounts)
    hash_ = await accounts.hashing.hash(PASSWORD)

    def made(session: Session, now: datetime) -> None:
        for n in range(-WARM_UP, samples):
            name = Name("email", known(n), known(n))
            new_account(session, [name], hash_, now, verified=frozenset({"email"}))

    await accounts.run(made)


async def run(url: str, samples: int) -> int:
    """How many ways are separable."""
    limits = Limits(per_address=10_000_000, overall=10_000_000)
    settings = Settings(environment="development", secret_key="0123456789abcdef-ghijklmnopqrstuv")
    app = Tilth(url, auth=Auth(mail=DevelopmentMail(), limits=limits), settings=settings)
    engine = sync_engine(url)
    create_missing_tables(engine, app.freeze().own)
    engine.dispose()
    chance, separable = random.Random(1), 0
    print(f"{'median milliseconds':28} {'known':>9} {'unknown':>9} {'by':>8} {'tells':>7} {'z':>7}")
    async with app.router.lifespan_context(app):
        await make_accounts(app, samples)
        for way in WAYS:
            result = await measured(app, way, samples, chance)
            separable += abs(result.z) > SEPARABLE
            print(result.row(way.path), flush=True)
    slower = Result([each + ADDED_SECONDS for each in result.known], result.unknown)
    print(slower.row("the last, 3 ms slower"))
    return separable


def _u(left: Sequence[float], right: Sequence[float]) -> float:
    """Pairs in which left is the greater; half a point where both are equal."""
    ordered = sorted(right)
    return sum((bisect_left(ordered, x) + bisect_right(ordered, x)) / 2 for x in left)


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--samples", type=int, default=300)
    reader.add_argument("--database", help="an empty one; a SQLite file by default")
    given = reader.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.database or f"sqlite:///{Path(folder) / 'bench.db'}"
        return 1 if asyncio.run(run(url, given.samples)) else 0


if __name__ == "__main__":
    sys.exit(main())
