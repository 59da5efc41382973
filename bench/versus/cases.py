"""The scenarios: what is asked of every peer, and how its answer is compared with the others'."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from versus.league import HEROES, MINE
from versus.load import Talk

TOKEN = "bench-token"
CONNECTIONS = 16
BATCH = 100

NEW = {
    "name": "Vesper Quill",
    "city": "Lowmarsh",
    "age": 41,
    "score": 7_100,
    "rating": 3.25,
    "is_active": True,
    "joined": "2024-02-29",
    "team_id": 7,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One scenario.

    path: where the peers have it; tilth: where Tilth does. talk: (case, path, signed in, place) →
    what one connection says; path is that of the second page where `paged`.
    ratio_to: DESIGN's budget. writes: it changes rows, so it comes after the others.
    """

    name: str
    path: str
    tilth: str
    talk: Callable[[Case, str, bool, int], Talk]
    method: str = "GET"
    status: int = 200
    paged: bool = False
    body: Any = None
    connections: int = CONNECTIONS

    @property
    def writes(self) -> bool:
        return self.method != "GET"


def request(
    method: str,
    path: str,
    signed_in: bool,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """As browsers and HTTP libraries send it."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: tilth-bench/1.0",
        "Accept: application/json",
        "Connection: keep-alive",
        *([f"Authorization: Bearer {TOKEN}"] if signed_in else []),
        *([f"Content-Type: application/json\r\nContent-Length: {len(body)}"] if body else []),
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def header_of(answer: bytes, name: str) -> str:
    """Empty when it is not there. name: lower case."""
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    found = [line.partition(":")[2].strip() for line in head.split("\r\n")[1:]
             if line.partition(":")[0].lower() == name]  # fmt: skip
    return found[0] if found else ""


def body_of(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@dataclass(slots=True)
class Repeating:
    """Requests prepared beforehand, round and round."""

    requests: Sequence[bytes]
    start: bytes
    round: Any = field(init=False)

    def __post_init__(self) -> None:
        self.round = cycle(self.requests)

    def next(self) -> bytes:
        asked: bytes = next(self.round)
        return asked

    def hear(self, answer: bytes) -> None:
        check(answer, self.start)


@dataclass(slots=True)
class Changing:
    """Changes one row again and again, each time on condition that it is as it was answered last."""

    path: str
    signed_in: bool
    score: int
    etag: str = ""

    def next(self) -> bytes:
        if not self.etag:
            return request("GET", self.path, self.signed_in)
        self.score += 1
        body = json.dumps({"score": self.score}).encode()
        return request("PATCH", self.path, self.signed_in, body, {"If-Match": self.etag})

    def hear(self, answer: bytes) -> None:
        check(answer, b"HTTP/1.1 200")
        self.etag = header_of(answer, "etag")


def check(answer: bytes, start: bytes) -> None:
    if not answer.startswith(start):
        raise ValueError(f"Expected {start.decode()}, was answered {answer[:600]!r}")


def _start(case: Case) -> bytes:
    return f"HTTP/1.1 {case.status}".encode()


def _same(case: Case, path: str, signed_in: bool, place: int) -> Talk:
    body = json.dumps(case.body).encode() if case.body is not None else b""
    return Repeating([request(case.method, path, signed_in, body)], _start(case))


def _each_row(case: Case, path: str, signed_in: bool, place: int) -> Talk:
    """Rows of all the table, so that none is asked for twice in a row; all of them visible."""
    keys = range(1 + 2 * place, HEROES, 2 * 37)
    return Repeating([request("GET", path.format(key), signed_in) for key in keys], _start(case))


def _own_row(case: Case, path: str, signed_in: bool, place: int) -> Talk:
    return Changing(path.format(MINE[place]), signed_in, 10_000)


CASES = (
    Case("get one", "/api/heroes/{}", "/api/heroes/{}", _each_row),
    Case("list 50", "/api/heroes?limit=50", "/api/heroes?limit=50", _same),
    Case(
        "list 50 + to-one",
        "/api/heroes-with-team?limit=50",
        "/api/heroes?limit=50&expand=team",
        _same,
    ),
    Case(
        "list 20 + to-many",
        "/api/teams-with-heroes?limit=20",
        "/api/teams?limit=20&expand=heroes",
        _same,
    ),
    Case(
        "filtered, sorted page",
        "/api/heroes-by-score?min_age=30&limit=50",
        "/api/heroes?age__gte=30&sort=-score,-id&limit=50",
        _same,
        paged=True,
    ),
    Case("count", "/api/heroes-counted?limit=1", "/api/heroes?limit=1&count=exact", _same),
    Case("create", "/api/heroes", "/api/heroes", _same, "POST", 201, body=NEW),
    Case("patch if match", "/api/heroes/{}", "/api/heroes/{}", _own_row, "PATCH"),
    Case(
        "create 100",
        "/api/heroes/batch",
        "/api/heroes",
        _same,
        "POST",
        201,
        body=[NEW] * BATCH,
        connections=4,
    ),
)


def same_form(answer: bytes, case: Case) -> Any:
    """An answer without what peers may name or number as they like.

    Their documented pagination calls the rows `results` and their number `count`; the address of
    the next page is each one's own; new rows have keys of their own.
    """
    body = body_of(answer)
    if isinstance(body, list):
        body = {"items": body}
    if case.method == "POST":
        made = body.get("items", [body])
        return [{name: value for name, value in row.items() if name != "id"} for row in made]
    if "results" in body or "items" in body:
        shown = {"items": body.get("items", body.get("results"))}
        if case.name == "count":
            shown["total"] = body.get("total", body.get("count"))
        return shown
    return body
