"""An application → where its migrations are and what they are for."""

from __future__ import annotations

from tilth.app import Application
from tilth.cli.discover import application_in, imported
from tilth.cli.migrate.place import root_and_folder
from tilth.cli.opening import checked, tables_of
from tilth.cli.target import Target, default_source, is_database_url, target_from
from tilth.errors import CommandError, SetupError
from tilth.feature import Backend
from tilth.kernel.store.engine import database_url
from tilth.runtime.migrate.history import History, read_history, several_heads
from tilth.runtime.migrate.project import Project, Wanted, project_from


def project_for(named: str | None) -> Project:
    """Raises CommandError and SetupError."""
    source = default_source() if named is None else named
    if is_database_url(source):
        raise CommandError(
            "Migrations belong to an application, and this is a database URL.",
            "Name the application: --app app.py. Its database: TILTH_DATABASE.",
        )
    target = target_from(source)
    return project_of(target, application_in(imported(target), target))


def project_of(target: Target, app: Application, backend: Backend | None = None) -> Project:
    frozen = backend or checked(app)
    settings = app.settings.migrate
    tables = tables_of(frozen)
    return project_from(
        Wanted(*root_and_folder(target)),
        database_url(settings.database or app.database_url),
        list(dict.fromkeys(table.metadata for table in tables)),
        settings,
        is_production=app.settings.environment == "production",
    )


def history_of(project: Project, *, one_head: bool = True) -> History:
    """Raises SetupError when it is broken, or has several heads where one is needed."""
    history = read_history(project)
    finding = several_heads(history)
    if one_head and finding is not None:
        raise SetupError(finding)
    return history
