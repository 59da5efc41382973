"""The tables that an application lacks, made without serving it."""

from __future__ import annotations

from tilth.app import Application
from tilth.cli.discover import application_for
from tilth.cli.migrate.place import may_be_migrated
from tilth.cli.opening import MIGRATED, checked, create_tables
from tilth.cli.talk import print_document, say, stdout
from tilth.errors import CommandError
from tilth.feature import Backend
from tilth.kit.text import sentence_list


def create(named: str | None, *, as_json: bool) -> None:
    """Raises CommandError and SetupError before anything is made."""
    app = application_for(named)
    backend = checked(app)
    _require_no_migrations(named, app, backend)
    made = create_tables(backend)
    if as_json:
        print_document({"created": made})
    elif made:
        stdout().print("\n".join(made))
    label = backend.store.database.label
    say(f"Created in {label}: {sentence_list(made)}." if made else f"{label} lacks no table.")


def _require_no_migrations(named: str | None, app: Application, backend: Backend) -> None:
    """A table that is made beside the migrations makes the one that is to make it fail."""
    target = may_be_migrated(named)
    if target is None or backend.store.database.dialect.name not in MIGRATED:
        return
    # A quarter of a second to import, which few applications need.
    from tilth.cli.migrate.pending import pending_revisions

    if pending_revisions(target, app, backend) is not None:
        raise CommandError(
            f"{target.shown} has migrations, and only they make its tables.",
            "Apply them: tilth migrate up. What none of them makes: tilth migrate status.",
        )
