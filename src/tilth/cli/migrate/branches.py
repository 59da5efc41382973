"""tilth migrate merge, rebase, baseline and squash: what becomes of the revision files."""

from __future__ import annotations

from tilth.cli.migrate.opened import history_of, project_for
from tilth.cli.talk import counted, print_document, say, shown_path, stdout
from tilth.runtime.migrate.branching import Moved, baselined, merged, rebased, squashed
from tilth.runtime.migrate.explaining import explained


def merge(named: str | None, message: str, *, as_json: bool) -> None:
    project = project_for(named)
    history = history_of(project, one_head=False)
    with explained(project.url):
        _tell(merged(project, history, message), as_json=as_json)


def rebase(named: str | None, revision: str | None, *, as_json: bool) -> None:
    project = project_for(named)
    history = history_of(project, one_head=False)
    with explained(project.url):
        _tell(rebased(project, history, revision), as_json=as_json)


def baseline(named: str | None, target: str, *, as_json: bool) -> None:
    project = project_for(named)
    history = history_of(project, one_head=False)
    with explained(project.url):
        names = baselined(project, history, target)
    if as_json:
        print_document({"applied": names})
    say(f"The database counts as being at {names[-1]}: {counted(len(names), 'revision')} applied.")


def squash(named: str | None, message: str, until: str | None, *, as_json: bool) -> None:
    project = project_for(named)
    history = history_of(project, one_head=False)
    with explained(project.url):
        _tell(squashed(project, history, message, until), as_json=as_json)


def _tell(moved: Moved, *, as_json: bool) -> None:
    if as_json:
        print_document(
            {
                "written": [str(path) for path in moved.written],
                "removed": [str(path) for path in moved.removed],
                "notes": list(moved.notes),
            }
        )
    else:
        stdout().print("\n".join(shown_path(path) for path in moved.written))
    for note in moved.notes:
        say(f"note: {note}")
    if moved.removed:
        say(f"{counted(len(moved.removed), 'file')} taken into it and deleted.")
