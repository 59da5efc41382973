"""A file that `tilth db backup` has made → the database of an application."""

from __future__ import annotations

from pathlib import Path

from tilth.cli.db.place import Place, place_of
from tilth.cli.talk import counted, print_document, say, shown_path
from tilth.errors import CommandError
from tilth.kernel.store.backups.kinds import require_kind
from tilth.kernel.store.backups.postgresql_restore import restore_postgresql
from tilth.kernel.store.backups.sqlite import Restored, restore_sqlite


def restore(named: str | None, backup: Path, *, replaces: bool, as_json: bool) -> None:
    """Raises CommandError, and nothing is changed."""
    place = place_of(named)
    require_kind(backup, place.url.drivername)
    restored = _restored(place, backup, replaces)
    if as_json:
        kept = str(restored.kept) if restored.kept else None
        print_document({"rows": dict(restored.rows), "kept": kept})
        return
    rows = counted(sum(restored.rows.values()), "row")
    say(f"Restored {rows} of {counted(len(restored.rows), 'table')} to {place.label}.")
    if restored.kept:
        say(f"What was there is kept as {shown_path(restored.kept)}.")


def _restored(place: Place, backup: Path, replaces: bool) -> Restored:
    if place.file:
        return restore_sqlite(backup, place.file, place.tables(), replaces=replaces)
    if replaces:
        raise CommandError(
            "A database of PostgreSQL is not replaced.",
            "Restore beside it: TILTH_DATABASE with the name of a new one, which is made. Or end the "
            "application and rename the old one first: ALTER DATABASE shop RENAME TO shop_before",
        )
    return Restored(restore_postgresql(backup, place.url, place.tables()))
