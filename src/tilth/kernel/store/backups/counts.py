"""How many rows each table has, by which a copy is compared with what it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tilth.errors import CommandError
from tilth.kit.text import sentence_list

Counts = Mapping[str, int]


def require_same(here: Counts, there: Counts) -> None:
    """here: of the database. there: of the copy. Raises CommandError that names what differs."""
    names = sorted({*here, *there})
    different = [name for name in names if here.get(name) != there.get(name)]
    if different:
        told = (
            f"{n} ({here.get(n, 'no')} rows here, {there.get(n, 'no')} there)" for n in different
        )
        raise CommandError(f"The copy is not what it was made of: {sentence_list(told)}.")


def require_known(backup: str, tables: Iterable[str], wanted: Iterable[str]) -> None:
    """Raises CommandError for a backup with none of the tables that an application has.

    wanted: nothing when no application says what the tables are.
    """
    expected = sorted(wanted)
    if expected and not {name.lower() for name in expected} & {name.lower() for name in tables}:
        raise CommandError(
            f"{backup} is of another application: it has none of the tables "
            f"{sentence_list(expected)}.",
            "To restore it as it is, name the database instead: --app DATABASE_URL",
        )
