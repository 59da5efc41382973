"""Prints the model file of a database."""

from __future__ import annotations

from pathlib import Path

import typer

from tilth.cli.talk import print_document, say
from tilth.cli.target import DATABASE_FILES, is_database_url
from tilth.errors import CommandError

FORMS = "Write sqlite:///path/to/file.db or postgresql://user:password@host:5432/database."


def print_models(url: str, schema: str | None, *, as_json: bool) -> None:
    if not is_database_url(url):
        hint = f"Write sqlite:///{url}" if Path(url).suffix in DATABASE_FILES else FORMS
        raise CommandError(f"{url} is not a database URL.", hint)
    say("Reading the database and writing its models: this takes a few seconds.")
    try:
        from tilth.cli.models import write_models
    except ModuleNotFoundError as exc:
        missing = f"Writing models needs {exc.name}, which is not installed."
        raise CommandError(missing, "Install tilth[models].") from exc
    source = write_models(url, schema)
    if as_json:
        print_document({"source": source})
    else:
        typer.echo(source, nl=False)
