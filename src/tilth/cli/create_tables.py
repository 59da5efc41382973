"""The tables that an application lacks, made without serving it."""

from __future__ import annotations

from tilth.cli.discover import application_for
from tilth.cli.opening import checked, create_tables
from tilth.cli.talk import print_document, say, stdout
from tilth.kit.text import sentence_list


def create(named: str | None, *, as_json: bool) -> None:
    """Raises CommandError and SetupError before anything is made."""
    backend = checked(application_for(named))
    made = create_tables(backend)
    if as_json:
        print_document({"created": made})
    elif made:
        stdout().print("\n".join(made))
    label = backend.store.database.label
    say(f"Created in {label}: {sentence_list(made)}." if made else f"{label} lacks no table.")
