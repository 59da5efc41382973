"""What a command has to say: data on stdout, talk on stderr, a failure as one block."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from tilth.errors import CommandError, Finding, ProblemError, SetupError, TilthError

LEVEL_STYLES = {"error": "bold red", "warning": "bold yellow"}

# What is piped into a file or another program is not folded: one row, one line.
UNFOLDED = 100_000


def stdout() -> Console:
    """For data that people read; rich leaves colour out where there is no terminal."""
    width = None if sys.stdout.isatty() else UNFOLDED
    return Console(highlight=False, markup=False, emoji=False, width=width)


def stderr() -> Console:
    """For everything said beside the data. Long lines are left to the terminal."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_document(document: Any) -> None:
    """The one JSON document of a `--json` call."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    stderr().print(text)


@contextmanager
def telling_failures(as_json: bool, with_traceback: bool = False) -> Iterator[None]:
    """Ends the command with exit code 1, and no traceback, when it fails as it may be expected to.

    with_traceback: show what lies behind the failure as well.
    """
    try:
        yield
    except TilthError as error:
        raise typer.Exit(end_with(error, as_json, with_traceback)) from None


def end_with(error: TilthError, as_json: bool, with_traceback: bool = False) -> int:
    """Tells it to people, and to programs if asked to; answers the exit code."""
    if as_json:
        print_document(document_of(error))
    tell(error, with_traceback)
    return error.exit_code if isinstance(error, CommandError) else 1


def tell(error: TilthError, with_traceback: bool = False) -> None:
    """One block on stderr."""
    cause = error.__cause__
    if with_traceback and cause is not None:
        say("".join(traceback.format_exception(cause)).rstrip())
    stderr().print(failure_text(error))


def failure_text(error: TilthError) -> Text:
    """What happened, and below it what to do."""
    if isinstance(error, SetupError):
        return findings_text(error.findings)
    message, hint = _message_and_hint(error)
    text = Text.assemble(("error", LEVEL_STYLES["error"]), f": {message}")
    return text.append(f"\n  help: {hint}") if hint else text


def document_of(error: TilthError) -> dict[str, Any]:
    if isinstance(error, SetupError):
        return {"findings": [finding_document(finding) for finding in error.findings]}
    message, hint = _message_and_hint(error)
    return {"error": {"message": message, "hint": hint}}


def findings_text(findings: Sequence[Finding]) -> Text:
    return Text("\n").join(map(_finding_text, findings))


def finding_document(finding: Finding) -> dict[str, Any]:
    return asdict(replace(finding, where=shown_place(finding.where)))


def shown_place(where: str | None) -> str | None:
    """ "heroes.py:12" as it is seen from the working directory."""
    if where is None:
        return None
    file, _, line = where.rpartition(":")
    return f"{shown_path(Path(file))}:{line}"


def shown_path(path: Path) -> str:
    """Relative to the working directory if it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _finding_text(finding: Finding) -> Text:
    style = LEVEL_STYLES.get(finding.level, "bold")
    text = Text.assemble((finding.level, style), f"[{finding.code}]: {finding.subject}: ")
    text.append(finding.reason)
    if finding.where:
        text.append(f"\n  --> {shown_place(finding.where)}")
    return text.append(f"\n  help: {finding.remedy}")


def _message_and_hint(error: TilthError) -> tuple[str, str | None]:
    if isinstance(error, CommandError):
        return error.message, error.hint
    if isinstance(error, ProblemError):
        # The store keeps what is not for clients, such as which database it was, in notes.
        return error.detail, "; ".join(getattr(error, "__notes__", ())) or None
    return str(error), None
