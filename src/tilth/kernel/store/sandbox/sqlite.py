"""A SQLite database → a copy of it, which is thrown away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.engine import URL

from tilth.kernel.store.drivers.driver import Database
from tilth.kernel.store.drivers.sqlite_file import connect, sqlite_file_from
from tilth.kernel.store.engine import open_database
from tilth.kernel.store.sandbox.parts import Parts
from tilth.kernel.store.writing import open_sessions, open_units
from tilth.settings import StoreSettings

COPYING_SECONDS = 5.0


@contextmanager
def copy_of(database: Database, settings: StoreSettings) -> Iterator[Parts]:
    """A copy takes a few milliseconds for the small databases that tests have."""
    with TemporaryDirectory(prefix="tilth-sandbox-") as folder:
        path = Path(folder, "copy.db")
        file = sqlite_file_from(database.url)
        with (
            closing(connect(file.uri(), COPYING_SECONDS)) as source,
            closing(sqlite3.connect(path)) as target,
        ):
            source.backup(target)
        url = URL.create("sqlite", database=str(path))
        copy = open_database(url, settings)
        units = open_units(url, copy.label, settings)
        yield Parts(copy, units, open_sessions(url, copy.label, settings, units).engines)
