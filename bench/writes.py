"""What a change costs: microseconds of the processor for one create and one patch.

    python bench/writes.py [postgresql|sqlite]

Everything runs in this process, without a socket, on a database that keeps what it is told: best
and median of many rounds. PostgreSQL's own processes are not counted.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from statistics import median

import orjson
import uvloop
from starlette.types import ASGIApp, Message, Scope
from versus.league import BENCH, databases

ROUNDS, TIMES = 20, 50
HERO = {"name": "Hero", "city": "Lowmarsh", "age": 30, "score": 5, "rating": 1.5, "team_id": 3}
HERO |= {"is_active": True, "joined": "2024-01-01"}

Step = Callable[[], Awaitable[None]]


async def ask(app: ASGIApp, method: str, path: str, content: object) -> None:
    """Raises AssertionError for an answer that is no success."""
    body, statuses = orjson.dumps(content), []
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        # Whoever asked stays until the answer has come.
        return await asyncio.Future()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope_of(method, path, len(body)), receive, send)
    assert statuses in ([200], [201]), statuses


def scope_of(method: str, path: str, length: int) -> Scope:
    headers = {"host": "127.0.0.1", "accept": "application/json"}
    headers |= {"content-type": "application/json", "content-length": str(length)}
    headers |= {"authorization": "Bearer bench-token"}
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("bench", 80),
        "client": ("bench", 1),
        "state": {},
    }


async def costs(step: Step) -> list[float]:
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            await step()
        found.append((time.process_time() - began) / TIMES * 1e6)
    return found


async def measure() -> None:
    sys.path.insert(0, str(BENCH / "peers" / "tilth"))
    from app import app

    scores = count(10_000)
    steps: dict[str, Step] = {
        "create one": lambda: ask(app, "POST", "/api/heroes", HERO),
        "patch one": lambda: ask(app, "PATCH", "/api/heroes/7", {"score": next(scores)}),
    }
    for name, step in steps.items():
        await step()
        taken = await costs(step)
        print(f"{name:12} best {min(taken):6.0f} µs, median {median(taken):6.0f} µs")
    await app.freeze().store.database.close()


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "postgresql"
    with databases(kind, heroes=1_000) as rows:
        os.environ["TILTH_DATABASE"] = rows.copy("writes")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(measure())


if __name__ == "__main__":
    main()
