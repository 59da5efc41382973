"""A peer as a running server: pinned to one core, its processor time read from /proc."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from versus.cases import request
from versus.load import ask_once
from versus.peers import Peer

START_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    peer: Peer
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Of all its processes and threads so far."""
        return sum(_cpu_seconds(pid) for pid in _family(self.pid))

    def memory_bytes(self) -> int:
        """Resident, of all its processes, pages shared between them counted once (PSS)."""
        return sum(_memory_bytes(pid) for pid in _family(self.pid))


@contextmanager
def serving(peer: Peer, url: str, core: int | None, *more: str) -> Iterator[Server]:
    """core: None leaves it to the kernel. more: options after the port."""
    port = free_port()
    *before, last = peer.command
    place = f"127.0.0.1:{port}" if last == "--bind" else str(port)
    process = subprocess.Popen(
        [peer.programs / before[0], *before[1:], last, place, *more],
        cwd=peer.place,
        env={**_plain_environment(), **peer.environment, "TILTH_DATABASE": url},
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        start_new_session=True,
    )
    try:
        _wait_until_it_answers(process, peer, port)
        yield Server(peer, port, process.pid)
    finally:
        _stop(process)


def _plain_environment() -> dict[str, str]:
    """A development shell may forbid the compiled modules that every installation has."""
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if name not in dropped}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], peer: Peer, port: int) -> None:
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        if process.poll() is not None:
            raise RuntimeError(f"{peer.name} ended with {process.returncode} instead of serving.")
        try:
            if ask_once(port, request("GET", peer.probe, False)).startswith(b"HTTP/1.1 200"):
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{peer.name} did not answer within {START_SECONDS} seconds.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _family(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from _family(int(child))


def _cpu_seconds(pid: int) -> float:
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _memory_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
