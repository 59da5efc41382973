"""The OpenAPI document as one actor sees it."""

from __future__ import annotations

from pathlib import Path

import orjson
import typer

from tilth.cli.actor import actor_from
from tilth.cli.discover import application_for
from tilth.cli.talk import print_document, say
from tilth.errors import CommandError
from tilth.features.api.service.description import description_for


def openapi(named: str | None, who: str, output: Path | None, *, as_json: bool) -> None:
    actor = actor_from(who)
    backend = application_for(named).freeze()
    text = orjson.dumps(description_for(backend, actor), option=orjson.OPT_INDENT_2).decode()
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(f"{text}\n", "utf-8")
    except OSError as exc:
        raise CommandError(f"{output} cannot be written: {exc.strerror}.") from exc
    if as_json:
        print_document({"written": str(output)})
    say(f"Written to {output}.")
