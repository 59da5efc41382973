"""An application that has migrations → a warning when its models are not what they make."""

from __future__ import annotations

from collections.abc import Iterator

from tilth.app import Application
from tilth.cli.migrate.opened import history_of, project_of
from tilth.cli.talk import say
from tilth.cli.target import Target
from tilth.errors import Finding
from tilth.runtime.migrate.trying.unwritten import models_differ, unwritten


def unwritten_changes(target: Target, app: Application) -> Iterator[Finding]:
    """app: without mistakes. Raises SetupError for files that are no history."""
    project = project_of(target, app, app.freeze())
    history = history_of(project, one_head=False)
    if not history.scripts:
        return
    found = unwritten(project, history)
    if found.changes:
        yield models_differ(found.changes, "warning")
    if found.reason:
        say(f"Whether the models are what the migrations make is not known: {found.reason}")
