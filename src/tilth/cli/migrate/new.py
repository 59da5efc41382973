"""tilth migrate new: what has changed in the models becomes revision files."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from tilth.cli.migrate.opened import history_of, project_for
from tilth.cli.talk import print_document, say, shown_path, stdout
from tilth.errors import CommandError
from tilth.runtime.migrate.checksums import write_checksums
from tilth.runtime.migrate.explaining import explained
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.writing.files import Draft, drafts, write
from tilth.runtime.migrate.writing.find import Answers, Found, difference, find


def new(
    named: str | None,
    message: str,
    *,
    renames: Sequence[str],
    drops: Sequence[str],
    fills: Sequence[str],
    is_empty: bool,
    as_json: bool,
) -> None:
    project = project_for(named)
    history = history_of(project)
    with explained(project.url):
        if is_empty:
            found, made = Found(), [Draft(message, "expand", "pass", "pass")]
        else:
            answers = _answers(renames, drops, fills, as_json=as_json)
            answers = replace(answers, command=_command(named, message, answers))
            found = find(project, history, answers)
            is_file = project.url.drivername == "sqlite"
            made = drafts(message, found.steps, in_one=is_file)
        paths = write(project, history, made, set(found.imports))
        write_checksums(project.checksums, history_of(project).scripts)
        remaining = [] if is_empty else [str(each) for each in difference_after(project, paths)]
    _tell(found, paths, remaining, as_json=as_json)
    if remaining:
        raise typer.Exit(1)


def difference_after(project: Project, paths: Sequence[Path]) -> Sequence[object]:
    """What the files that were written do not bring about: they are tried at once."""
    return difference(project, history_of(project)) if paths else ()


def _answers(
    renames: Sequence[str], drops: Sequence[str], fills: Sequence[str], *, as_json: bool
) -> Answers:
    is_asked = sys.stdin.isatty() and sys.stderr.isatty() and not as_json
    return Answers(
        tuple(renames),
        frozenset(drops),
        dict(_fill_from(text) for text in fills),
        (lambda question: typer.confirm(question, err=True)) if is_asked else None,
        (lambda question: str(typer.prompt(question, err=True))) if is_asked else None,
    )


def _command(named: str | None, message: str, answers: Answers) -> str:
    """What was called, as a shell takes it."""
    words = ["tilth", "migrate", "new", "-m", message]
    words += ["--app", named] if named else []
    for flag, given in (("--rename", answers.renames), ("--drop", sorted(answers.drops))):
        words += [word for each in given for word in (flag, each)]
    words += [word for each in answers.fills.items() for word in ("--fill", "=".join(each))]
    return shlex.join(words)


def _fill_from(text: str) -> tuple[str, str]:
    place, equals, value = text.partition("=")
    if not (equals and "." in place):
        raise CommandError(f"--fill {text} cannot be read.", "Write hero.age=0.")
    return place, value


def _tell(found: Found, paths: Sequence[Path], remaining: list[str], *, as_json: bool) -> None:
    if as_json:
        print_document(
            {
                "files": [str(path) for path in paths],
                "changes": list(found.changes),
                "notes": list(found.notes),
                "remaining": remaining,
            }
        )
    elif paths:
        stdout().print("\n".join(shown_path(path) for path in paths))
    for line in (*found.changes, *(f"note: {note}" for note in found.notes)):
        say(f"  {line}")
    if not paths:
        say("Nothing has changed: the revisions make what the models are.")
    elif remaining:
        say("What was written does not bring about all of it. Correct the file:")
        for line in remaining:
            say(f"  {line}")
    else:
        say("Written. Read it, then: tilth migrate plan, tilth migrate up.")
