"""An application that is served in development → its revisions that are not applied yet, or none."""

from __future__ import annotations

from tilth.app import Application
from tilth.cli.migrate.apply import apply
from tilth.cli.migrate.opened import history_of, project_of
from tilth.cli.target import Target
from tilth.feature import Backend
from tilth.kernel.store.drivers.sqlite_file import sqlite_file_from
from tilth.runtime.migrate.explaining import explained
from tilth.runtime.migrate.state import read_state


def pending_revisions(target: Target, app: Application, backend: Backend) -> list[str] | None:
    """Their names, oldest first. None: there are no migrations, so tables are made from the models."""
    project = project_of(target, app, backend)
    if project.url.drivername == "sqlite" and sqlite_file_from(project.url).in_memory:
        # It is gone with its process, and so is its history.
        return None
    history = history_of(project, one_head=False)
    if not history.scripts:
        return None
    with explained(project.url):
        state = read_state(project, history)
    return [each.name for each in state.revisions if not each.is_applied]


def apply_pending(target: Target, app: Application) -> None:
    """As `tilth migrate up` does. Raises CommandError and SetupError."""
    apply(project_of(target, app))
