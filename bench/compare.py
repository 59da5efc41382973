"""Tilth beside its peers and the floor: the same work, the same core, in turn.

    python bench/compare.py                       everything, about half an hour
    python bench/compare.py --quick               the smoke run of CI, no thresholds
    python bench/compare.py --only "list 50" --databases sqlite --peers Tilth floor

Peers are installed into bench/.envs, once. Their servers are pinned to the last core; the load
client and PostgreSQL run on the others. Results go to bench/results; --publish writes the tables
into docs/explanation/performance.md too.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from versus.cases import CASES, Case
from versus.league import Databases, databases
from versus.measure import Figure, Plan, compare
from versus.peers import PEERS, Peer, install
from versus.report import machine, published, tables, told
from versus.serving import serving

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "explanation" / "performance.md"
QUICK = Plan(rounds=1, seconds=0.1)
QUICK_PEERS = ("Tilth", "floor", "FastAPI + SQLModel")


def main() -> int:
    asked = _arguments()
    plan = QUICK if asked.quick else Plan(asked.rounds, asked.seconds)
    peers = [peer for peer in PEERS if peer.name in asked.peers]
    cases = [case for case in CASES if case.name in asked.only]
    for peer in peers:
        install(peer)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("The client needs a core of its own, and there is only one.", file=sys.stderr)
        return 1
    # The client and what it starts from here on; servers are then sent to the core that is left.
    os.sched_setaffinity(0, set(cores[:-1]))
    figures: list[Figure] = []
    for kind in asked.databases:
        with databases(kind) as made:
            figures.extend(_compared(kind, made, peers, cases, plan, cores[-1]))
    _report(figures, publish=asked.publish)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="three peers, a moment each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8, help="of one round of one peer")
    parser.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="by default all")
    parser.add_argument("--only", nargs="+", metavar="CASE", default=[case.name for case in CASES])
    parser.add_argument("--publish", action="store_true", help="write the tables into the docs")
    asked = parser.parse_args()
    asked.peers = asked.peers or (QUICK_PEERS if asked.quick else [peer.name for peer in PEERS])
    return asked


def _compared(
    kind: str,
    made: Databases,
    peers: Sequence[Peer],
    cases: Sequence[Case],
    plan: Plan,
    core: int,
) -> Iterator[Figure]:
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving(peer, made.copy(peer.folder), core)) for peer in peers
        ]
        for case in cases:
            for signed_in in (False, True):
                found = compare(kind, case, signed_in, servers, plan)
                shown = "  ".join(
                    f"{f.peer} {f.per_second:.0f}/s {f.cost * 1e6:.0f}µs" for f in found
                )
                print(
                    f"{kind}, {case.name}{', signed in' if signed_in else ''}: {shown}", flush=True
                )
                yield from found


def _report(figures: Sequence[Figure], *, publish: bool) -> None:
    about = machine()
    told_as = f"{told(about)}\n\n{tables(figures)}"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "compare.md").write_text(told_as)
    taken = {"machine": about, "figures": [asdict(figure) for figure in figures]}
    (RESULTS / "compare.json").write_text(json.dumps(taken, indent=1))
    print(f"\n{told_as}")
    if publish:
        published(PAGE, "compare", told_as)


if __name__ == "__main__":
    sys.exit(main())
