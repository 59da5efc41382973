"""Prints the model file of a database."""

from __future__ import annotations

import typer

from tilth.cli.talk import print_document
from tilth.errors import CommandError


def print_models(url: str, schema: str | None, *, as_json: bool) -> None:
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
