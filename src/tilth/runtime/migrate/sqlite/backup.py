"""A copy of a SQLite file while it is in use, beside it, for its owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from tilth.kernel.store.drivers.sqlite_file import sqlite_file_from
from tilth.kernel.store.sync import sync_engine

KEPT = 5
"""Copies; the oldest ones are deleted."""

SUFFIX = ".before-"
PAGES_AT_ONCE = 1000


def back_up(engine: Engine, url: URL, name: str) -> Path | None:
    """By the library's online backup, so that a writer in between is no harm. None: in memory.

    name: of what it is made before. An earlier copy of that name stays, under a number.
    """
    file = sqlite_file_from(url)
    if file.in_memory or not os.path.exists(file.path) or not os.path.getsize(file.path):
        return None
    copy = _free(f"{file.path}{SUFFIX}{name}")
    partial = copy.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    # Before anything is in it: it holds what the database does.
    os.close(os.open(partial, os.O_CREAT | os.O_WRONLY, 0o600))
    target = sync_engine(f"sqlite:///{partial}")
    source = engine.raw_connection()
    try:
        made = target.raw_connection()
        try:
            source.driver_connection.backup(made.driver_connection, pages=PAGES_AT_ONCE)  # type: ignore[union-attr]
        finally:
            made.close()
    finally:
        source.close()
        target.dispose()
    os.replace(partial, copy)
    for left in (Path(f"{partial}-wal"), Path(f"{partial}-shm")):
        left.unlink(missing_ok=True)
    _forget(Path(file.path))
    return copy


def _free(stem: str) -> Path:
    found, number = Path(f"{stem}.db"), 1
    while found.exists():
        number += 1
        found = Path(f"{stem}-{number}.db")
    return found


def _forget(path: Path) -> None:
    copies = path.parent.glob(f"{path.name}{SUFFIX}*.db")
    for old in sorted(copies, key=lambda each: each.stat().st_mtime)[:-KEPT]:
        old.unlink()
