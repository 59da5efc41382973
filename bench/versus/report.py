"""Figures → tables in Markdown, with the machine they were taken on."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from versus.measure import Figure
from versus.peers import FLOOR, TILTH

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
TOLD = ("fastapi", "sqlalchemy", "sqlmodel", "uvicorn", "uvloop", "httptools", "asyncpg", "orjson")


def machine() -> dict[str, str]:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in _lines("/proc/cpuinfo")
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = next((line.split()[1] for line in _lines("/proc/meminfo") if "MemTotal" in line), "0")
    packages = ", ".join(f"{name} {version(name)}" for name in TOLD)
    return {
        "taken": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": f"{model}, {os.cpu_count()} cores",
        "memory": f"{int(memory) / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "packages": packages,
    }


def _lines(path: str) -> Iterable[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else ()


def told(machine: dict[str, str]) -> str:
    return (
        f"Taken {machine['taken']} on {machine['processor']}, {machine['memory']}, "
        f"{machine['system']}, Python {machine['python']}, SQLite {machine['sqlite']}; "
        f"{machine['packages']}."
    )


def tables(figures: Sequence[Figure]) -> str:
    """For each database and kind of caller: requests per second, then ratios."""
    parts = []
    for database in dict.fromkeys(each.database for each in figures):
        for signed_in in (False, True):
            chosen = [f for f in figures if f.database == database and f.signed_in == signed_in]
            if not chosen:
                continue
            who = "bearer token and row policy" if signed_in else "anonymous"
            parts += [f"### {DATABASES[database]}, {who}", "", *_table(chosen), ""]
    return "\n".join(parts)


def _table(figures: Sequence[Figure]) -> list[str]:
    """Each cell of a peer: its requests per second, and how many times as many Tilth answers."""
    names = list(dict.fromkeys(each.peer for each in figures))
    others = [name for name in names if name != TILTH.name]
    heads = ["", *([TILTH.name] if TILTH.name in names else []), *others]
    if {TILTH.name, FLOOR.name} <= set(names):
        heads.append("cost, of the floor's")
    lines = [f"| {' | '.join(heads)} |", f"|---|{'---:|' * (len(heads) - 1)}"]
    for case in dict.fromkeys(each.case for each in figures):
        of_peer = {each.peer: each for each in figures if each.case == case}
        lines.append(f"| {case} | {' | '.join(_cells(of_peer, others))} |")
    return lines


def _cells(of_peer: dict[str, Figure], others: Sequence[str]) -> Iterable[str]:
    tilth = of_peer.get(TILTH.name)
    if tilth is not None:
        yield f"{_rate(tilth)}"
    for name in others:
        each = of_peer.get(name)
        if each is None:
            yield ""
        elif tilth is None:
            yield _rate(each)
        else:
            yield f"{_rate(each)} ({tilth.per_second / each.per_second:.2g}×)"
    if tilth is not None and FLOOR.name in of_peer:
        yield f"{tilth.cost / of_peer[FLOOR.name].cost:.2f}×"


def _rate(figure: Figure) -> str:
    return f"{figure.per_second:,.0f}"


def published(page: Path, name: str, content: str) -> None:
    """Put content between `<!-- NAME -->` and `<!-- /NAME -->` in a page of the documentation."""
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, _, rest = page.read_text().partition(opening)
    _, found, after = rest.partition(closing)
    if not found:
        raise ValueError(f"{page} has no place marked {opening} … {closing}.")
    page.write_text(f"{before}{opening}\n{content.strip()}\n{closing}{after}")
