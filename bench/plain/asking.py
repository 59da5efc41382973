"""Requests to the application under test, and what became of each comparison."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx

from plain.tables import Table
from plain.values import from_json

SHOWN = 300


class Report:
    """Counts what agreed; prints what did not, with the address and both answers."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, address: str, what: str, got: Any, expected: Any) -> bool:
        if got == expected:
            self.passed += 1
            return True
        self.failed += 1
        got, expected = _difference(got, expected)
        print(f"FAIL {address}\n     {what}: got {got}, plain SQL says {expected}", flush=True)
        return False

    def skip(self, what: str) -> None:
        print(f"     skipped: {what}", flush=True)


def _difference(got: Any, expected: Any) -> tuple[str, str]:
    """Of two lists their lengths and the first place where they differ."""
    if not (isinstance(got, list) and isinstance(expected, list)):
        return repr(got)[:SHOWN], repr(expected)[:SHOWN]
    place = next(
        (at for at, (a, b) in enumerate(zip(got, expected, strict=False)) if a != b),
        min(len(got), len(expected)),
    )
    return tuple(
        f"{len(side)} rows, at {place} {side[place : place + 1]!r:.{SHOWN}}"
        for side in (got, expected)
    )  # type: ignore[return-value]


class Asking:
    """GETs below /api, as JSON."""

    def __init__(self, client: httpx.AsyncClient, report: Report) -> None:
        self.client = client
        self.report = report

    async def get(self, address: str) -> Any:
        """None, and a failure, when the answer is not 200."""
        answer = await self.client.get(address)
        if answer.status_code != 200:
            self.report.check(address, "status", f"{answer.status_code} {answer.text[:SHOWN]}", 200)
            return None
        return answer.json()

    async def pages(self, address: str, step: str = "next") -> AsyncIterator[tuple[str, Any]]:
        """(address, body) from there to the end."""
        at: str | None = address
        while at:
            body = await self.get(at)
            if body is None:
                return
            yield at, body
            at = body[step]


def address_of(resource: str, *, key: tuple[str, ...] | None = None, **query: str) -> str:
    path = f"/api/{quote(resource, safe='')}"
    if key is not None:
        path += "/" + ",".join(map(key_part, key))
    return with_query(path, query)


def with_query(path: str, query: dict[str, str]) -> str:
    pairs = "&".join(
        f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in query.items()
    )
    return f"{path}?{pairs}" if pairs else path


def key_part(text: str) -> str:
    """Empty texts, dots and tildes before them are marked, since clients rewrite such paths."""
    marked = f"~{text}" if not text.lstrip("~").strip(".") and len(text.lstrip("~")) < 3 else text
    return quote(marked, safe="")


def item_row(item: dict[str, Any], table: Table) -> tuple[Any, ...]:
    return tuple(from_json(item[field.name], field.kind) for field in table.fields)
