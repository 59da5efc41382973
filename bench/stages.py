"""Where the microseconds of a read go: the same request, cut off after each stage.

    python bench/stages.py [--publish]

Everything runs in this process, without a socket: what uvicorn and the kernel add is in
bench/compare.py. Times are the best of many rounds, of the processor, on SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import uvloop
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope
from versus.league import BENCH, SqliteDatabases
from versus.report import published

from tilth import Tilth
from tilth.features.api.routes import ApiRoute
from tilth.features.api.service.idempotency import Once
from tilth.features.api.service.readings import Readings
from tilth.kernel.plan.sight import Sight
from tilth.kernel.store.binds import arguments
from tilth.kernel.store.decode import decoded
from tilth.runtime.web.actor import actor_of

PAGE = BENCH.parent / "docs" / "explanation" / "performance.md"
READS = {
    "get one": ("/api/heroes/7", b""),
    "list 50": ("/api/heroes", b"limit=50"),
    "list 50 + to-one": ("/api/heroes", b"limit=50&expand=team"),
    "list 20 + to-many": ("/api/teams", b"limit=20&expand=heroes"),
}
STAGES = ("SQL and driver", "rows decoded", "bytes of JSON", "rest of the answer", "middleware")
ROUNDS, TIMES = 60, 50

Step = Callable[[], Awaitable[object]]


async def best(step: Step) -> float:
    """Microseconds of the processor."""
    costs = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TIMES):
            await step()
        costs.append((time.process_time() - began) / TIMES * 1e6)
    return min(costs)


def scope_of(path: str, query: bytes) -> Scope:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"accept", b"application/json")],
        "server": ("bench", 80),
        "client": ("bench", 1),
        "state": {},
    }


async def receive() -> Message:
    return {"type": "http.request", "body": b""}


async def send(message: Message) -> None:
    """Nowhere."""


async def stages(app: Tilth, path: str, query: bytes) -> dict[str, float]:
    """Each stage is what the request takes with it, less what it takes without."""
    backend = app.freeze()
    route = ApiRoute(backend, Once())

    async def answer() -> ASGIApp:
        return await route.answer(scope_of(path, query), receive)

    await answer()
    fetch, decode, dump = await _store_steps(app, route.readings, path, query, receive)
    sql, rows, body = await best(fetch), await best(decode), await best(dump)
    whole_answer = await best(answer)
    whole = await best(lambda: app(scope_of(path, query), receive, send))
    rest = whole_answer - sql - rows - body
    return dict(zip(STAGES, (sql, rows, body, rest, whole - whole_answer), strict=True))


async def _store_steps(
    app: Tilth, readings: Readings, path: str, query: bytes, receive: Receive
) -> tuple[Step, Step, Step]:
    backend, scope = app.freeze(), scope_of(path, query)
    actor = await actor_of(Request(scope, receive), backend.readers)
    found = readings.find(scope, Sight(backend.schema, backend.rulebook, actor))
    assert found is not None  # it was asked for before
    plan = found[1]
    statement = backend.store.statement(plan.shape)
    values = arguments(statement.parameters, plan, actor)
    carriers = await backend.store.database.fetch(statement.sql, values)
    rows = decoded(statement.decoder, carriers)

    async def fetch() -> Any:
        return await backend.store.database.fetch(statement.sql, values)

    async def decode() -> Any:
        return decoded(statement.decoder, carriers)

    async def dump() -> Any:
        return orjson.dumps(rows)

    return fetch, decode, dump


async def table() -> str:
    sys.path.insert(0, str(BENCH / "peers" / "tilth"))
    from app import app

    lines = [f"| | {' | '.join(STAGES)} | in all |", f"|---|{'---:|' * (len(STAGES) + 1)}"]
    for name, (path, query) in READS.items():
        taken = await stages(app, path, query)
        cells = [f"{taken[stage]:.0f}" for stage in STAGES]
        lines.append(f"| {name} | {' | '.join(cells)} | {sum(taken.values()):.0f} |")
    await app.freeze().store.database.close()
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--publish", action="store_true", help="write the table into the docs")
    publish = parser.parse_args().publish
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TILTH_DATABASE"] = SqliteDatabases(Path(folder), 10_000).copy("stages")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            shown = runner.run(table())
    print(shown)
    if publish:
        published(PAGE, "stages", shown)


if __name__ == "__main__":
    main()
