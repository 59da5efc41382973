"""A terminal on the database of an application, in the place of this process."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import NoReturn

from tilth.cli.db.place import place_of
from tilth.errors import CommandError
from tilth.kernel.store.client_programs import environment_of, program
from tilth.kernel.store.drivers.sqlite_file import SqliteFile

# As in the application: rows that others refer to stay, and a writer is waited for.
AT_THE_START = ("-cmd", "PRAGMA foreign_keys = ON", "-cmd", ".timeout 5000")


def shell(named: str | None, *, read_only: bool) -> NoReturn:
    """Raises CommandError when there is no database or no program for it."""
    place = place_of(named)
    if place.file:
        _become(_sqlite_command(place.file, read_only), os.environ)
    environment = environment_of(place.url, os.environ, read_only=read_only)
    _become([program("psql").path], environment)


def _sqlite_command(file: SqliteFile, read_only: bool) -> list[str]:
    """Of SQLite's own program, or of Python's, which has no option for reading only."""
    if file.in_memory:
        raise CommandError("A database in memory is another one for every program.")
    if not os.path.isfile(file.path):
        raise CommandError(f"There is no file {file.path}.", "tilth create-tables makes it.")
    own = shutil.which("sqlite3")
    if own:
        only = ["-readonly"] if read_only or file.is_read_only else []
        return [own, *AT_THE_START, *only, file.path]
    has_shell = find_spec("sqlite3.__main__") is not None
    if read_only or not has_shell:
        raise CommandError(
            "The program sqlite3 is not installed here"
            + (", and Python's own cannot be told to read only." if has_shell else "."),
            "Install it: apt install sqlite3, dnf install sqlite, brew install sqlite.",
        )
    return [sys.executable, "-m", "sqlite3", file.path]


def _become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(command[0], list(command), dict(environment))
