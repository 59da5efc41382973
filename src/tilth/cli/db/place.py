"""An application, or the URL of a database → the database that the commands below `tilth db` look after."""

from __future__ import annotations

from dataclasses import dataclass
from os import environ
from pathlib import PurePath

from sqlalchemy.engine import URL

from tilth.app import Application
from tilth.cli.discover import application_for
from tilth.cli.opening import tables_of
from tilth.cli.target import default_source, is_database_url
from tilth.kernel.store.drivers.sqlite_file import SqliteFile, sqlite_file_from
from tilth.kernel.store.engine import database_url, refuse_mariadb
from tilth.settings import load_settings


@dataclass(frozen=True, slots=True)
class Place:
    """url: a direct one, where the application has another behind a pooler. app: None when the
    database was named by itself. scratch: URL of a server for databases to try something in.
    """

    url: URL
    app: Application | None
    scratch: str | None

    @property
    def file(self) -> SqliteFile | None:
        """None when it is no SQLite database."""
        return sqlite_file_from(self.url) if self.url.drivername == "sqlite" else None

    @property
    def label(self) -> str:
        file = self.file
        return file.label if file else self.url.set(query={}).render_as_string(hide_password=True)

    @property
    def name(self) -> str:
        """Of the database alone: "shop"."""
        return PurePath(self.url.database or "").stem or "database"

    def tables(self) -> list[str]:
        """Names of those that the application has; none when it is not known. Raises SetupError."""
        if self.app is None:
            return []
        return [table.name for table in tables_of(self.app.freeze())]


def place_of(named: str | None) -> Place:
    """named: as for `application_for`. A database that is named is not connected to."""
    source = default_source() if named is None else named
    if is_database_url(source):
        refuse_mariadb(source, "Commands of tilth db are")
        return Place(database_url(source), None, load_settings(environ).migrate.scratch)
    app = application_for(source)
    migrate = app.settings.migrate
    refuse_mariadb(migrate.database or app.database_url, "Commands of tilth db are")
    return Place(database_url(migrate.database or app.database_url), app, migrate.scratch)
