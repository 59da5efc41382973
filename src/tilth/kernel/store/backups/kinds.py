"""A file → whose backup it is, by its first bytes."""

from __future__ import annotations

from pathlib import Path

from tilth.errors import CommandError

MAGIC = {b"SQLite format 3\0": "sqlite", b"PGDMP": "postgresql"}
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
LONGEST = max(map(len, MAGIC))


def require_kind(backup: Path, wanted: str) -> None:
    """wanted: name of the dialect. Raises CommandError for anything else."""
    found = _kind_of(backup)
    if found is None:
        raise CommandError(
            f"{backup} is no backup: it is neither a SQLite database nor an archive of pg_dump.",
            "Name a file that `tilth db backup` has made. SQL in a text file is for "
            "`tilth db shell < FILE`.",
        )
    if found != wanted:
        raise CommandError(
            f"{backup} is a backup of {NAMES[found]}, and the database is {NAMES[wanted]}.",
            "Restore it where it comes from; `tilth db move` then moves rows from one to the other.",
        )


def _kind_of(backup: Path) -> str | None:
    try:
        with backup.open("rb") as opened:
            begins = opened.read(LONGEST)
    except OSError as exc:
        raise CommandError(f"{backup} cannot be read: {exc.strerror}.") from exc
    return next((kind for magic, kind in MAGIC.items() if begins.startswith(magic)), None)
