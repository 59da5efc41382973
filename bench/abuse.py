"""Send a server bodies that are none, clients that hang up and a disk that is full.

    python bench/abuse.py sqlite
    python bench/abuse.py postgresql --rounds 400

Every answer must be a refusal below 500, nothing may be stored, and memory must not grow with the
number of requests. On SQLite the file then may grow no further: writes are refused with 503, none
is half made, and reading goes on.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
from kill import Server, database, prepared
from sqlalchemy import text

from tilth.kernel.store.sync import sync_engine

JSON = {"content-type": "application/json"}
MOST_GROWTH_MIB = 12.0
"""Between the first round of every body and the last: what an allocator keeps, no more."""

MIB = 1024 * 1024
BODIES: dict[str, bytes] = {
    "truncated": b'{"name": "x',
    "not JSON": b"name=x",
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "NUL": b'{"name": "a\\u0000b"}',
    "NaN": b'{"name": NaN}',
    "deep": b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 members": b"{" + b",".join(b'"%x":1' % n for n in range(100_000)) + b"}",
    "a huge list": b"[" + b",".join([b"{}"] * 200_000) + b"]",
    "a huge number": b'{"name": ' + b"9" * 900_000 + b"}",
    "a huge text": b'{"name": "' + b"x" * 1_000_000 + b'"}',
    "wrong types": b'{"name": {"a": [1, 2.5, null]}, "group": 7}',
    "an unknown field": b'{"name": "a", "nmae": 1}',
    "too large": b'{"name": "' + b"x" * (2 * MIB) + b'"}',
}


async def send_all(http: httpx.AsyncClient, counted: Counter[tuple[str, int]]) -> None:
    for name, body in BODIES.items():
        answer = await http.post("/api/entries", content=body, headers=JSON)
        counted[name, answer.status_code] += 1


async def hang_up(port: int) -> None:
    """In the middle of a body that would have been good."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "POST /api/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f'{head}Content-Length: 16\r\n\r\n{{"name": "l'.encode())
    await writer.drain()
    writer.close()


async def abuse(server: Server, rounds: int) -> Iterator[str]:
    """What is wrong."""
    counted: Counter[tuple[str, int]] = Counter()
    await server.start()
    async with httpx.AsyncClient(base_url=server.base, timeout=30) as http:
        for _ in range(20):
            await send_all(http, counted)
        before = server.memory_mib()
        for _ in range(rounds):
            await send_all(http, counted)
            await hang_up(server.port)
        after = server.memory_mib()
        stored = (await http.get("/api/entries?limit=1&count=exact")).json()["total"]
    for (name, status), number in sorted(counted.items()):
        print(f"  {name}: {status} × {number}")
    print(f"  memory: {before:.1f} MiB before, {after:.1f} MiB after {rounds} rounds")
    wrong = [f"{name} was answered {s}" for name, s in counted if not 400 <= s < 500]
    wrong += [f"{stored} rows are stored"] if stored else []
    wrong += ["memory grows"] if after - before > MOST_GROWTH_MIB else []
    return iter(wrong)


def stop_growing_at(size: int) -> None:
    """The kernel refuses to let any file of the process grow beyond; Python ignores the signal."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


async def fill_the_disk(server: Server) -> Iterator[str]:
    statuses: Counter[int] = Counter()
    await server.start()
    async with httpx.AsyncClient(base_url=server.base, timeout=30) as http:
        for number in range(400):
            operations = [
                {"method": "POST", "path": "/api/entries", "body": {"name": f"n{number}-{each}"}}
                for each in range(50)
            ]
            answer = await http.post("/api/batch", json={"operations": operations})
            statuses[answer.status_code] += 1
            if statuses[503] == 5:
                break
        stored = (await http.get("/api/entries?limit=1&count=exact")).json()["total"]
    print(f"  full disk: {dict(statuses)}, {stored} rows")
    wrong = [] if statuses[503] and set(statuses) == {200, 503} else [f"statuses {dict(statuses)}"]
    wrong += [] if stored == 50 * statuses[200] else ["a batch is half stored"]
    return iter(wrong)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("kind", choices=["sqlite", "postgresql"])
    arguments.add_argument("--rounds", type=int, default=200)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, database(asked.kind, Path(name)) as url:
        app = prepared(Path(name), url)
        server = Server(app, url)
        try:
            wrong = list(asyncio.run(abuse(server, asked.rounds)))
            if asked.kind == "sqlite":
                server.kill()
                server = Server(app, url, lambda: stop_growing_at(3 * MIB))
                wrong += asyncio.run(fill_the_disk(server))
        finally:
            server.kill()
        engine = sync_engine(url)
        with engine.connect() as connection:
            if asked.kind == "sqlite":
                verdict = connection.execute(text("PRAGMA integrity_check")).scalar_one()
                wrong += [] if verdict == "ok" else [f"integrity_check says {verdict}"]
        engine.dispose()
    for each in wrong:
        print(each)
    print(f"{asked.kind}: {len(wrong) or 'nothing'} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
