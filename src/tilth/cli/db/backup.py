"""The database of an application → a file that was restored once to see that it can be."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import typer

from tilth.cli.db.place import Place, place_of
from tilth.cli.talk import LEVEL_STYLES, counted, print_document, say, shown_path, stderr, stdout
from tilth.kernel.store.backups.postgresql_backup import Backup, back_up_postgresql
from tilth.kernel.store.backups.sqlite import back_up_sqlite
from tilth.kit.clock import now
from tilth.runtime.migrate.databases import scratch_engine

UNVERIFIED = 3
"""Exit code of a backup that is kept although nobody has seen it restored."""


def backup(named: str | None, given: Path | None, *, replaces: bool, as_json: bool) -> None:
    """Raises CommandError, and no file is made."""
    place = place_of(named)
    path = given or _usual(place)
    made = _made(place, path, replaces)
    if as_json:
        print_document(
            {
                "file": str(path),
                "bytes": path.stat().st_size,
                "rows": dict(made.rows),
                "verified": made.unverified is None,
                "reason": made.unverified,
            }
        )
    else:
        stdout().print(shown_path(path.absolute()))
    if made.unverified is not None:
        stderr().print("warning", style=LEVEL_STYLES["warning"], end="")
        say(f": the backup is kept and could not be verified. {made.unverified}")
        raise typer.Exit(UNVERIFIED)
    rows, tables = counted(sum(made.rows.values()), "row"), counted(len(made.rows), "table")
    say(f"Backed up {place.label}: {rows} of {tables}, restored and compared.")


def _usual(place: Place) -> Path:
    """In the working directory, with the time in its name."""
    suffix = "db" if place.file else "dump"
    return Path(f"{place.name}-{now():%Y%m%d-%H%M%S}.{suffix}")


def _made(place: Place, path: Path, replaces: bool) -> Backup:
    if place.file:
        return Backup(back_up_sqlite(place.file, path, replaces=replaces), None)
    scratch = partial(scratch_engine, place.url, place.scratch)
    return back_up_postgresql(place.url, path, scratch, replaces=replaces)
