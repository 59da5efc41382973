"""How long a process takes to import Tilth, and to serve its first answer from a database.

    python bench/startup.py [--runs 7] [--quick]

Every run is a fresh interpreter, the processes one after the other; the machine should have
nothing else to do. Prints a table and, as its last line, the same as JSON. Seconds are of the whole
process, interpreter included; the budget is of DESIGN section 10.
"""

import argparse
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

NOTHING = "pass"
IMPORT = "import tilth"
# As `tilth serve` does it, up to the bytes of a list, without a socket in between.
BOOT = """
import asyncio, sys
from tilth.adoption import adopt

async def first_answer(app, path):
    sent = []
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "headers": [],
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "server": ("bench", 80), "client": ("bench", 1),
    }
    async def receive():
        return {"type": "http.request", "body": b""}
    async def send(message):
        sent.append(message)
    await app(scope, receive, send)
    await app.freeze().store.database.close()
    return sent

sent = asyncio.run(first_answer(adopt(sys.argv[1]), "/api/table-0s"))
assert sent[0]["status"] == 200, sent
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds; budget None where there is none.

    cpu: median of what the processors worked, which other programs on the machine change little.
    """

    what: str
    median: float
    fastest: float
    slowest: float
    cpu: float
    budget: float | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one run, small databases")
    asked = parser.parse_args()
    runs = 1 if asked.quick else asked.runs
    sizes = ((11, 1.2),) if asked.quick else ((11, 1.2), (150, 4.0), (600, None))
    with tempfile.TemporaryDirectory() as folder:
        results = [
            _measured("python alone", runs, None, NOTHING),
            _measured("import tilth", runs, 0.6, IMPORT),
            *(
                _measured(f"boot, {tables} tables", runs, budget, BOOT, database_of(folder, tables))
                for tables, budget in sizes
            ),
        ]
    print(_table(results))
    print(json.dumps([asdict(result) for result in results]))


def _measured(what: str, runs: int, budget: float | None, program: str, *args: str) -> Measured:
    """The first run is not counted: it compiles and fills the disk cache."""
    # A development shell may forbid the compiled modules that every installation has.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    seconds: list[float] = []
    worked: list[float] = []
    for _ in range(runs + 1):
        began, worked_before = time.perf_counter(), _children_cpu()
        subprocess.run([sys.executable, "-c", program, *args], check=True, env=environment)
        seconds.append(time.perf_counter() - began)
        worked.append(_children_cpu() - worked_before)
    counted = seconds[1:]
    cpu = statistics.median(worked[1:])
    return Measured(what, statistics.median(counted), min(counted), max(counted), cpu, budget)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def database_of(folder: str, tables: int) -> str:
    """Ten columns to a table, each table but the first with a foreign key to one before it."""
    path = Path(folder) / f"{tables}.db"
    connection = sqlite3.connect(path)
    for number in range(tables):
        columns = ", ".join(f"column_{place} TEXT" for place in range(8))
        parent = f"REFERENCES table_{number // 2} (id)" if number else ""
        connection.execute(
            f"CREATE TABLE table_{number}"
            f" (id INTEGER PRIMARY KEY, parent_id INTEGER {parent}, {columns})"
        )
        connection.execute(f"INSERT INTO table_{number} (id) VALUES (1)")
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def _table(results: Sequence[Measured]) -> str:
    heads = ("median", "fastest", "slowest", "cpu", "budget")
    rows = [" " * 20 + "".join(f"{head:>9}" for head in heads)]
    for result in results:
        times = (result.median, result.fastest, result.slowest, result.cpu)
        cells = "".join(f"{seconds:>8.2f}s" for seconds in times)
        budget = f"{result.budget:>8.1f}s" if result.budget else f"{'-':>9}"
        rows.append(f"{result.what:<20}{cells}{budget}")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
