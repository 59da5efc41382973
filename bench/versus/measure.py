"""Peers in turn on the same case: the same answer first, then rounds, then medians."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from versus.cases import Case, body_of, request, same_form
from versus.load import Sample, drive
from versus.peers import FLOOR, TILTH
from versus.serving import Server

WARM_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Plan:
    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One peer at one case. cost: processor seconds of the server per request."""

    database: str
    case: str
    signed_in: bool
    peer: str
    per_second: float
    cost: float
    median_seconds: float
    slow_seconds: float
    client_busy: float


class Different(Exception):
    """A peer answers something else than the floor, so their times could not be compared."""


def compare(
    database: str, case: Case, signed_in: bool, servers: Sequence[Server], plan: Plan
) -> list[Figure]:
    """Rounds are interleaved, so that what the machine does beside hits everyone alike."""
    paths = {server.peer.name: _path(case, server, signed_in) for server in servers}
    if not (case.writes and case.method == "PATCH"):
        _check_same(case, signed_in, servers, paths)
    for server in servers:
        _round(case, server, paths[server.peer.name], signed_in, WARM_SECONDS)
    taken: dict[str, list[tuple[Sample, float]]] = {server.peer.name: [] for server in servers}
    for _ in range(plan.rounds):
        for server in servers:
            name = server.peer.name
            taken[name].append(_round(case, server, paths[name], signed_in, plan.seconds))
    return [_figure(database, case, signed_in, name, each) for name, each in taken.items()]


def _path(case: Case, server: Server, signed_in: bool) -> str:
    path = case.tilth if server.peer is TILTH else case.path
    if not case.paged:
        return path
    from versus.load import ask_once

    first = body_of(ask_once(server.port, request("GET", path, signed_in)))
    address: str = first["next"]
    return "/" + address.split("/", 3)[3] if address.startswith("http") else address


def _check_same(
    case: Case, signed_in: bool, servers: Sequence[Server], paths: dict[str, str]
) -> None:
    answers = {
        server.peer.name: _answer(case, server, paths[server.peer.name], signed_in)
        for server in servers
    }
    wanted = answers.get(FLOOR.name) or next(iter(answers.values()))
    for name, answer in answers.items():
        if answer != wanted:
            shown = f"{str(answer)[:700]}\n{str(wanted)[:700]}"
            raise Different(f"{case.name}: {name} answers otherwise than the floor.\n{shown}")


def _answer(case: Case, server: Server, path: str, signed_in: bool) -> Any:
    talk = case.talk(case, path, signed_in, 0)
    heard: list[bytes] = []

    class Listening:
        def next(self) -> bytes:
            return talk.next()

        def hear(self, answer: bytes) -> None:
            talk.hear(answer)
            heard.append(answer)

    drive(server.port, [Listening()], 0)
    return same_form(heard[0], case)


def _round(
    case: Case, server: Server, path: str, signed_in: bool, seconds: float
) -> tuple[Sample, float]:
    """A sample, and what it cost the server per request, in processor seconds."""
    talks = [case.talk(case, path, signed_in, place) for place in range(case.connections)]
    before = server.cpu_seconds()
    sample = drive(server.port, talks, seconds)
    return sample, (server.cpu_seconds() - before) / sample.requests


def _figure(
    database: str, case: Case, signed_in: bool, name: str, taken: Sequence[tuple[Sample, float]]
) -> Figure:
    middle = statistics.median
    return Figure(
        database,
        case.name,
        signed_in,
        name,
        middle(sample.per_second for sample, _ in taken),
        middle(cost for _, cost in taken),
        middle(sample.median_seconds for sample, _ in taken),
        middle(sample.slow_seconds for sample, _ in taken),
        middle(sample.busy for sample, _ in taken),
    )
