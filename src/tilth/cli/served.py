"""What `tilth serve` was asked for → the application, made anew in every worker process."""

from __future__ import annotations

from dataclasses import dataclass

from tilth.adoption import adopt
from tilth.app import Application
from tilth.cli.discover import application_for
from tilth.cli.target import is_database_url


@dataclass(frozen=True, slots=True)
class Served:
    """source: `FILE[:app]`, `pkg.mod:app` or a database URL.

    token: that lets read an adopted database; None lets anyone. schema: of an adopted database.
    """

    source: str
    token: str | None = None
    schema: str | None = None

    @property
    def is_adopted(self) -> bool:
        return is_database_url(self.source)


def application_of(served: Served) -> Application:
    """Raises CommandError and SetupError."""
    if served.is_adopted:
        return adopt(served.source, token=served.token, schema=served.schema)
    return application_for(served.source)
