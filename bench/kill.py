"""Kill the server again and again while it writes, then count: is everything there that was acknowledged?

    python bench/kill.py sqlite --seed 1 --kills 30 --writes 10000
    python bench/kill.py postgresql --seed 1 --kills 30 --writes 10000

Clients create rows one by one and in batches, change them and delete them. What was answered with
success must be stored, a batch whole or not at all, each row must have been created by exactly one
event, and the last event of a row must say what is stored. Some creations, of rows whose key the
database makes, have an Idempotency-Key and are sent again until they are answered: there must be one
row of each, with the key that was answered. PostgreSQL is started for the run; it is `tilth serve`
that is killed, by SIGKILL, at moments that the seed decides.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
from sqlalchemy import Connection, Engine, select, text

from tilth.kernel.store.outbox import EVENTS
from tilth.kernel.store.sync import sync_engine

ROOT = Path(__file__).parent.parent
TILTH = Path(sys.executable).with_name("tilth")

APP = """
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tilth import Policy, Tilth, public

class Base(DeclarativeBase):
    pass

class Entry(Base):
    __tablename__ = "entry"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    group: Mapped[str | None] = mapped_column(String(40))
    count: Mapped[int] = mapped_column(default=0)

class Ticket(Base):
    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))

app = Tilth()
app.expose(Entry, Policy(read=public, write=public))
app.expose(Ticket, Policy(read=public, write=public))
"""

BATCH = 5
CLIENTS = 8
REPEATS = 1000


@dataclass(slots=True)
class Ledger:
    """names: of rows that were acknowledged one by one. groups: of batches that were, as a whole.

    counts: row → the last count that was acknowledged. gone: rows whose deletion was.
    leaving: rows whose deletion was asked for and may have happened. tickets: name → the number that
    was answered. refused: what a repeated request was answered otherwise.
    """

    wanted: int
    names: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    tickets: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    changes: int = 0
    unknown: int = 0

    @property
    def acknowledged(self) -> int:
        made = len(self.names) + BATCH * len(self.groups) + len(self.tickets)
        return made + self.changes + len(self.gone)

    @property
    def is_full(self) -> bool:
        return self.acknowledged >= self.wanted


async def write_on(client: int, base: str, ledger: Ledger, chance: random.Random) -> None:
    """Until the ledger is full. A request without an answer may or may not have been carried out."""
    number, own = 0, list[str]()
    async with httpx.AsyncClient(base_url=base, timeout=10) as http:
        while not ledger.is_full:
            number += 1
            name = f"c{client}-{number}"
            try:
                dice = chance.random()
                if dice < 0.2:
                    await _batch(http, name, ledger)
                elif dice < 0.4:
                    await _ticket(http, name, ledger)
                elif dice < 0.6 or not own:
                    await _single(http, name, ledger, own)
                elif dice < 0.9:
                    await _change(http, chance.choice(own), number, ledger)
                else:
                    await _delete(http, own.pop(chance.randrange(len(own))), ledger)
            except httpx.ConnectError:
                await asyncio.sleep(0.05)
            except httpx.HTTPError:
                ledger.unknown += 1


async def _single(http: httpx.AsyncClient, name: str, ledger: Ledger, own: list[str]) -> None:
    answer = await http.post("/api/entries", json={"name": name})
    if answer.status_code == 201:
        ledger.names.append(name)
        own.append(name)


async def _ticket(http: httpx.AsyncClient, name: str, ledger: Ledger) -> None:
    """Sent until it is answered: the server may have died before the change, after it, or between."""
    for _ in range(REPEATS):
        try:
            answer = await http.post(
                "/api/tickets", json={"name": name}, headers={"idempotency-key": f"{name:-<40}"}
            )
        except httpx.HTTPError:
            await asyncio.sleep(0.05)
            continue
        if answer.status_code == 201:
            ledger.tickets[name] = answer.json()["id"]
            return
        # One that the dead server has begun is in progress for a while.
        if answer.status_code not in (409, 503):
            break
        await asyncio.sleep(0.1)
    ledger.refused.append(f"{name}: {answer.status_code} {answer.text[:200]}")


async def _change(http: httpx.AsyncClient, name: str, count: int, ledger: Ledger) -> None:
    """Counts of a row only grow, so that one without an answer shows as a larger one."""
    answer = await http.patch(f"/api/entries/{name}", json={"count": count})
    if answer.status_code == 200:
        ledger.counts[name] = count
        ledger.changes += 1


async def _delete(http: httpx.AsyncClient, name: str, ledger: Ledger) -> None:
    ledger.leaving.add(name)
    answer = await http.delete(f"/api/entries/{name}")
    if answer.status_code == 204:
        ledger.gone.add(name)


async def _batch(http: httpx.AsyncClient, name: str, ledger: Ledger) -> None:
    rows = [{"name": f"{name}-{place}", "group": name} for place in range(BATCH)]
    operations = [{"method": "POST", "path": "/api/entries", "body": row} for row in rows]
    answer = await http.post("/api/batch", json={"operations": operations})
    if answer.status_code == 200:
        ledger.groups.append(name)


class Server:
    """`tilth serve`, one life after the other, on one port."""

    def __init__(self, app: Path, url: str, limit: Callable[[], None] | None = None) -> None:
        """limit: called in the server's process before it starts."""
        self._app, self._url, self._limit = app, url, limit
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._launch()
        async with httpx.AsyncClient(base_url=self.base) as http:
            for _ in range(600):
                try:
                    if (await http.get("/livez")).status_code == 200:
                        return
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
        raise RuntimeError("The server did not start within 30 seconds.")

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            [TILTH, "serve", str(self._app), "--port", str(self.port)],
            env={**os.environ, "TILTH_DATABASE": self._url},
            preexec_fn=self._limit,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def memory_mib(self) -> float:
        """What the process holds, without what it shares."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        [line] = [each for each in status.splitlines() if each.startswith("RssAnon")]
        return int(line.split()[1]) / 1024

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


async def ordeal(server: Server, ledger: Ledger, kills: int, chance: random.Random) -> int:
    """Answers how often the server was killed."""
    await server.start()
    seeds = [random.Random(chance.random()) for _ in range(CLIENTS)]
    clients = [
        asyncio.create_task(write_on(n, server.base, ledger, own)) for n, own in enumerate(seeds)
    ]
    killed = 0
    while not ledger.is_full or killed < kills:
        if ledger.is_full:
            # There is time for more kills than for writes: go on writing.
            ledger.wanted = ledger.acknowledged + 200
            clients += [
                asyncio.create_task(write_on(CLIENTS + len(clients), server.base, ledger, chance))
            ]
        await asyncio.sleep(chance.uniform(0.2, 1.5))
        server.kill()
        killed += 1
        await server.start()
    await asyncio.gather(*clients)
    server.kill()
    return killed


def findings(engine: Engine, ledger: Ledger) -> Iterator[str]:
    """What is wrong with the database, compared with what was acknowledged."""
    with engine.connect() as connection:
        rows = connection.execute(text('SELECT name, "group", "count" FROM entry')).all()
        events = connection.execute(select(EVENTS).order_by(EVENTS.c.id)).all()
        yield from _broken_tables(connection)
        tickets = connection.execute(text("SELECT name, id FROM ticket")).all()
    yield from ledger.refused
    numbers = Counter(name for name, _ in tickets)
    yield from (f"{name} has {n} tickets" for name, n in numbers.items() if n > 1)
    stored = {(name, number) for name, number in tickets}
    lost_tickets = ledger.tickets.items() - stored
    yield from (f"{name} has not the ticket {n} that was answered" for name, n in lost_tickets)
    events = [event for event in events if event.resource == "entries"]
    counts, sizes = {name: count for name, _, count in rows}, dict[str, int]()
    for _, group, _ in rows:
        if group is not None:
            sizes[group] = sizes.get(group, 0) + 1
    lost = [name for name in ledger.names if name not in counts.keys() | ledger.leaving]
    lost += [group for group in ledger.groups if group not in sizes]
    yield from (f"{name} was acknowledged and is lost" for name in lost)
    yield from (f"{group} has {n} of {BATCH} rows" for group, n in sizes.items() if n != BATCH)
    yield from (f"{name} is back" for name in ledger.gone & counts.keys())
    for name, count in ledger.counts.items():
        if counts.get(name, count) < count:
            yield f"{name} counts {counts[name]}, and {count} was acknowledged"
    yield from _told_wrongly(events, counts)


def _broken_tables(connection: Connection) -> Iterator[str]:
    """PostgreSQL is asked for the rows of each table with and without its indexes."""
    if connection.dialect.name == "sqlite":
        verdict = connection.execute(text("PRAGMA integrity_check")).scalar_one()
        if verdict != "ok":
            yield f"integrity_check says {verdict}"
        return
    for table, key in (("entry", "name"), ("ticket", "id"), (EVENTS.name, "id")):
        asked = text(f"SELECT {key} FROM {table} ORDER BY {key}")
        found = []
        for way in ("seqscan", "indexscan"):
            connection.execute(text("RESET ALL"))
            connection.execute(text(f"SET enable_{way} = off"))
            found.append(connection.execute(asked).all())
        if found[0] != found[1]:
            yield f"the index of {table} has other rows than the table"


def _told_wrongly(events: Sequence[Any], counts: Mapping[str, int]) -> Iterator[str]:
    created: Counter[str] = Counter()
    last: dict[str, int] = {}
    for event in events:
        [name] = event.key
        created[name] += event.type == "entry.created"
        last |= {name: event.after["count"]} if event.after else {}
        if event.after is None:
            last.pop(name, None)
    yield from (f"{name} was created by {n} events" for name, n in created.items() if n != 1)
    if last != counts:
        wrong = last.items() ^ counts.items()
        yield f"the events tell of {len(wrong)} rows otherwise than they are, such as {min(wrong)}"


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'entries.db'}"
        return
    sys.path.insert(0, str(ROOT))
    import conftest  # the tests know how to start PostgreSQL

    with ExitStack() as stack:
        place = Path(tempfile.mkdtemp(prefix="tilth-pg-"))
        server = stack.enter_context(conftest._server_in(place))
        yield stack.enter_context(server.new_database())


def prepared(folder: Path, url: str) -> Path:
    """The application's file, with its tables made."""
    app = folder / "entries.py"
    app.write_text(APP)
    environment = {**os.environ, "TILTH_DATABASE": url}
    command = [str(TILTH), "create-tables", str(app)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return app


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("kind", choices=["sqlite", "postgresql"])
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--kills", type=int, default=30)
    arguments.add_argument("--writes", type=int, default=10_000)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, database(asked.kind, Path(name)) as url:
        return _run(asked, Path(name), url)


def _run(asked: argparse.Namespace, folder: Path, url: str) -> int:
    app = prepared(folder, url)
    ledger, chance = Ledger(asked.writes), random.Random(asked.seed)
    server, started = Server(app, url), perf_counter()
    try:
        killed = asyncio.run(ordeal(server, ledger, asked.kills, chance))
    finally:
        server.kill()
    engine = sync_engine(url)
    wrong = list(findings(engine, ledger))
    engine.dispose()
    print(
        f"{asked.kind}, seed {asked.seed}: {ledger.acknowledged} writes acknowledged "
        f"({len(ledger.groups)} batches of {BATCH}), {ledger.unknown} without an answer, "
        f"{killed} kills, {perf_counter() - started:.0f} s"
    )
    for each in wrong:
        print(each)
    print(f"{'nothing' if not wrong else len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
