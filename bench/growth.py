"""How the cost of a request grows: with the table, the models, the policies, the clients, the workers;
and what memory it takes.

    python bench/growth.py [--rows 1000000] [--quick] [--publish]

Cost is the processor time of the server per request, in microseconds, of one worker on a core of its
own over SQLite. Curves that should be flat are drawn; --publish puts them into
docs/explanation/performance.md.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from startup import database_of
from versus.cases import CONNECTIONS, Repeating, body_of, request
from versus.league import Databases, databases
from versus.load import ask_once, drive
from versus.peers import TILTH, Peer
from versus.report import machine, published, told
from versus.serving import Server, serving

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
DEEP_PAGE, LIMIT = 10_000, 50
ROUNDS, SECONDS = 5, 0.3


@dataclass(frozen=True, slots=True)
class Point:
    """One place of a curve. at: rows, rules, models or clients. cost: microseconds of the server."""

    curve: str
    at: int
    cost: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the largest table")
    parser.add_argument("--quick", action="store_true", help="small tables, a moment each")
    parser.add_argument("--publish", action="store_true", help="write the curves into the docs")
    asked = parser.parse_args()
    cores = os.sched_getaffinity(0)
    core = max(cores)
    own = cores - {core} or cores
    os.sched_setaffinity(0, own)
    most = 20_000 if asked.quick else asked.rows
    points: list[Point] = []
    facts: dict[str, str] = {}
    for rows in sorted({10_000, most // 10, most}):
        with databases("sqlite", rows) as made, serving(TILTH, made.copy("x"), core) as server:
            idle = f"{server.memory_bytes() / 2**20:.0f} MB"
            facts.setdefault("memory of a worker that has answered once", idle)
            points += _by_rows(server, rows)
            if rows == 10_000:
                points += _by_policies(made, core)
                os.sched_setaffinity(0, cores)
                facts |= _by_workers(made, len(cores))
                os.sched_setaffinity(0, own)
            if rows == most:
                points += _by_clients(server)
                facts |= _depth(server, rows) | _export(server, rows) | _memory(server)
    for models in (11, 150) if asked.quick else (11, 150, 600):
        points.append(_by_models(models, core))
    _report(points, facts, publish=asked.publish)


def _cost(
    server: Server, path: str, clients: int = CONNECTIONS, *, signed_in: bool = False
) -> float:
    """The best of some rounds: what else the machine does only ever adds."""
    asked = [request("GET", path, signed_in)]
    talks = [Repeating(asked, b"HTTP/1.1 200") for _ in range(clients)]
    costs = []
    for _ in range(ROUNDS):
        before = server.cpu_seconds()
        sample = drive(server.port, talks, SECONDS)
        costs.append((server.cpu_seconds() - before) / sample.requests * 1e6)
    return min(costs)


def _by_rows(server: Server, rows: int) -> list[Point]:
    middle = f"/api/heroes/{rows // 2}"
    page = "/api/heroes?sort=-score,-id&limit=50"
    return [
        Point("one row, by rows of the table", rows, _cost(server, middle)),
        Point("sorted page, by rows of the table", rows, _cost(server, page)),
    ]


def _by_clients(server: Server) -> list[Point]:
    path = "/api/heroes?limit=50"
    return [
        Point("page, by connected clients", clients, _cost(server, path, clients))
        for clients in (1, 16, 64, 256)
    ]


def _by_policies(made: Databases, core: int) -> Iterator[Point]:
    """Rules of the resource that is asked for, one for each role there is."""
    models = str(TILTH.place)
    for rules in (1, 10, 100):
        environment = {"BENCH_RULES": str(rules), "PYTHONPATH": models}
        ruled = replace(
            TILTH, folder="tilth_policies", environment=environment, probe="/api/teams/1"
        )
        with serving(ruled, made.copy(f"rules-{rules}"), core) as server:
            cost = _cost(server, "/api/heroes?limit=50", signed_in=True)
            yield Point("page of one role, by rules of the policy", rules, cost)


def _by_workers(made: Databases, most: int) -> dict[str, str]:
    """Answers per second of a page that is dear enough for the client not to matter much.

    On any core, as in production; the client needs a part of one.
    """
    asked = [request("GET", "/api/teams?limit=20&expand=heroes", False)]
    found: list[float] = []
    for workers in (1, most):
        copy = made.copy(f"workers-{workers}")
        with serving(TILTH, copy, None, "--workers", str(workers)) as server:
            talks = [Repeating(asked, b"HTTP/1.1 200") for _ in range(CONNECTIONS)]
            found.append(max(drive(server.port, talks, SECONDS * 5).per_second for _ in range(3)))
    one, all_ = found
    name = f"pages with many rows below, by 1 worker and by {most}"
    return {name: f"{one:,.0f}/s and {all_:,.0f}/s ({all_ / one:.2f}×)"}


def _by_models(models: int, core: int) -> Point:
    with tempfile.TemporaryDirectory() as folder:
        url = database_of(folder, models)
        command = ("tilth", "serve", url, "--public", "--port")
        adopted: Peer = replace(TILTH, command=command, probe="/api/table-0s/1")
        with serving(adopted, url, core) as server:
            return Point("one row, by models", models, _cost(server, "/api/table-0s/1"))


def _depth(server: Server, rows: int) -> dict[str, str]:
    """Page 1 and page 10,000 (or the last one there is), in the same order, by cursors alone."""
    deep = min(DEEP_PAGE, rows // LIMIT - 1)
    first = f"/api/heroes?limit={LIMIT}"
    path = first
    for limit, steps in ((200, (deep - 1) // 4), (LIMIT, (deep - 1) % 4)):
        for _ in range(steps):
            here = path.replace(f"limit={LIMIT}", f"limit={limit}")
            answer = body_of(ask_once(server.port, request("GET", here, False)))
            path = answer["next"].replace("limit=200", f"limit={LIMIT}")
    near, far = _cost(server, first), _cost(server, path)
    return {f"page 1 and page {deep:,} of {rows:,} rows": f"{near:.0f} µs and {far:.0f} µs"}


def _export(server: Server, rows: int) -> dict[str, str]:
    before = server.memory_bytes()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    began, lines, peak = time.perf_counter(), -1, before
    connection.request("GET", "/api/heroes", headers={"Accept": "text/csv"})
    answer = connection.getresponse()
    while chunk := answer.read(1 << 20):
        lines += chunk.count(b"\n")
        peak = max(peak, server.memory_bytes())
    seconds = time.perf_counter() - began
    connection.close()
    if lines != rows:
        raise ValueError(f"{lines:,} rows were exported, not {rows:,}.")
    grown = (peak - before) / 2**20
    return {f"CSV of {rows:,} rows": f"{rows / seconds:,.0f} rows/s, {grown:.0f} MB more memory"}


def _memory(server: Server, connections: int = 400) -> dict[str, str]:
    before = server.memory_bytes()
    opened = []
    for _ in range(connections):
        line = socket.create_connection(("127.0.0.1", server.port))
        line.sendall(request("GET", "/api/heroes/1", False))
        line.recv(1 << 16)
        opened.append(line)
    each = (server.memory_bytes() - before) / connections / 1024
    for line in opened:
        line.close()
    return {"memory of one open connection": f"{each:.0f} KB"}


def _report(points: Sequence[Point], facts: dict[str, str], *, publish: bool) -> None:
    about = machine()
    shown = [told(about), "", "| what | measured |", "|---|---|"]
    shown += [f"| {name} | {value} |" for name, value in facts.items()]
    for curve in dict.fromkeys(point.curve for point in points):
        shown += ["", *_chart(curve, [point for point in points if point.curve == curve])]
    content = "\n".join(shown)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "growth.md").write_text(content)
    taken = {"machine": about, "facts": facts, "points": [asdict(point) for point in points]}
    (RESULTS / "growth.json").write_text(json.dumps(taken, indent=1))
    print(content)
    if publish:
        published(PAGE, "growth", content)


def _chart(curve: str, points: Sequence[Point]) -> list[str]:
    """Mermaid draws it where the documentation is read; the numbers are in its source."""
    places = ", ".join(f'"{point.at:,}"' for point in points)
    costs = ", ".join(f"{point.cost:.0f}" for point in points)
    highest = max(point.cost for point in points) * 1.5
    return [
        "```mermaid",
        "xychart-beta",
        f'    title "{curve}: µs per request ({costs})"',
        f"    x-axis [{places}]",
        f'    y-axis "µs" 0 --> {highest:.0f}',
        f"    line [{costs}]",
        "```",
    ]


if __name__ == "__main__":
    main()
