"""Serves an application in development: a worker process, started anew when a file changes."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event as SharedEvent
from os import environ
from pathlib import Path
from threading import Event

from watchfiles import PythonFilter, watch

from tilth.cli.keys import pressed_keys
from tilth.cli.opening import share_secret_key
from tilth.cli.port import address_of, listen
from tilth.cli.talk import say, shown_path
from tilth.cli.target import default_source, target_from
from tilth.cli.worker import MISUSE, Order, run_migrations, run_worker, serve_order

STOP_SECONDS = 5
LOOK_MILLISECONDS = 500
MIGRATE_KEY = "m"


def dev(
    named: str | None,
    *,
    host: str,
    port: int,
    reload: bool,
    as_json: bool,
    with_traceback: bool,
) -> None:
    target = target_from(default_source() if named is None else named)
    environ["TILTH_ENVIRONMENT"] = environ.get("TILTH_ENVIRONMENT") or "development"
    share_secret_key()
    order = Order(target, host, as_json=as_json, with_traceback=with_traceback, reload=reload)
    listening = listen(host, port)
    # Where links in mails lead. Told by no request, which could name any host.
    environ["TILTH_PUBLIC_URL"] = environ.get("TILTH_PUBLIC_URL") or address_of(listening)
    if reload:
        _supervise(order, listening)
    else:
        serve_order(order, listening)


def _supervise(order: Order, listening: socket.socket) -> None:
    """The socket stays open here, so that a request during a restart waits instead of failing."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with pressed_keys(sys.stdin) as keys:
        _serve_until(stop, replace(order, has_keys=keys is not None), listening, keys)


def _serve_until(
    stop: Event, order: Order, listening: socket.socket, keys: Callable[[], str] | None
) -> None:
    announced = get_context("spawn").Event()
    worker = _started(order, listening, announced)
    is_told = False
    changes_seen = watch(
        order.target.folder,
        watch_filter=PythonFilter(),
        stop_event=stop,
        rust_timeout=LOOK_MILLISECONDS,
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    for changes in changes_seen:
        wants_migrating = keys is not None and MIGRATE_KEY in keys()
        if wants_migrating:
            _migrate(order)
        elif changes:
            say(f"{_names(path for _, path in changes)} changed: starting again.")
        if changes or wants_migrating:
            _end(worker)
            worker, is_told = _started(order, listening, announced), False
        elif worker.exitcode == MISUSE:
            sys.exit(MISUSE)
        elif not worker.is_alive() and not is_told:
            say(f"The worker ended with exit code {worker.exitcode}. Waiting for a change.")
            is_told = True
    _end(worker)


def _started(order: Order, listening: socket.socket, announced: SharedEvent) -> SpawnProcess:
    worker = get_context("spawn").Process(target=run_worker, args=(order, listening, announced))
    worker.start()
    return worker


def _migrate(order: Order) -> None:
    """The worker goes on answering meanwhile."""
    say("Applying migrations.")
    process = get_context("spawn").Process(target=run_migrations, args=(order,))
    process.start()
    process.join()


def _end(worker: SpawnProcess) -> None:
    worker.terminate()
    worker.join(STOP_SECONDS)
    if worker.is_alive():
        worker.kill()
        worker.join()


def _names(paths: Iterable[str]) -> str:
    return ", ".join(sorted({shown_path(Path(path)) for path in paths}))
