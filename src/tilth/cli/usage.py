"""A command that was written wrongly → the same kind of failure that commands end with."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer

from tilth.errors import CommandError
from tilth.kit.text import suggest

# Typer has no public class for these two: its words tell them from other mistakes.
_UNKNOWN = re.compile(r"No such (?P<what>command|option):? '?(?P<name>[^']*)'?\.?")


def usage_error(error: typer.TyperException) -> CommandError:
    """With what was probably meant, or where to read what there is."""
    context: typer.Context | None = getattr(error, "ctx", None)
    unknown = _UNKNOWN.fullmatch(error.message)
    if unknown is None or context is None:
        return CommandError(error.format_message(), _where_to_read(context), error.exit_code)
    close = suggest(unknown["name"], _names(context))
    hint = f"Did you mean {close}?" if close else _where_to_read(context)
    return CommandError(f"There is no {unknown['what']} {unknown['name']}.", hint, error.exit_code)


def _names(context: typer.Context) -> Iterator[str]:
    """Commands and options that could stand where the mistake is."""
    yield from getattr(context.command, "commands", ())
    for parameter in context.command.get_params(context):
        if parameter.param_type_name == "option":
            yield from (*parameter.opts, *parameter.secondary_opts)


def _where_to_read(context: typer.Context | None) -> str | None:
    return f"See: {context.command_path} --help" if context else None
