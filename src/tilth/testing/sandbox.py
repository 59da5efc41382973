"""A test that leaves no trace in the database, whatever the application does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tilth.app import Application
from tilth.kernel.store.sandbox.place import diverted

App = TypeVar("App", bound=Application)


@contextmanager
def sandbox(app: App) -> Iterator[App]:
    """Inside, what the application reads and writes is seen inside only, and forgotten at the end.

    Requests, scopes and scripts alike. On PostgreSQL it is one transaction, rolled back, so that
    tests can run side by side on one database; on SQLite a copy of the file. One sandbox at a time
    for one application, and nothing under way when it begins or ends.
    """
    backend = app.freeze()
    with diverted(backend.store, backend.units, backend.sessions(), app.settings.store):
        yield app
