"""tilth migrate status: every revision, whether it is applied, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from tilth.cli.migrate.opened import history_of, project_for
from tilth.cli.talk import print_document, say, stdout
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.explaining import explained
from tilth.runtime.migrate.state import RevisionState, State, read_state
from tilth.runtime.migrate.trying.unwritten import Unwritten, unwritten


def status(named: str | None, *, as_json: bool) -> None:
    """Exit code 0 whatever there is to tell: tilth migrate check is what fails in CI."""
    project = project_for(named)
    history = history_of(project, one_head=False)
    with explained(project.url):
        state = read_state(project, history)
    models = unwritten(project, history) if history.scripts else Unwritten()
    if as_json:
        print_document(_document(state, models))
    for each in () if as_json else state.revisions:
        stdout().print(Text(_line(each)))
    for note in _notes(state, models, len(history.heads)):
        say(note)


def _line(each: RevisionState) -> str:
    when = f"{each.applied_at:%Y-%m-%d %H:%M}" if each.applied_at else ""
    told = when or "applied" if each.is_applied else "pending"
    return f"{told:<17}{each.phase:<9} {each.name}{'  (edited)' if each.is_edited else ''}"


def _notes(state: State, models: Unwritten, heads: int) -> Iterator[str]:
    if not state.revisions:
        yield 'There is no revision yet: tilth migrate new -m "first tables"'
    elif state.pending:
        yield f"{state.pending} pending: tilth migrate plan, tilth migrate up."
    else:
        yield "Nothing is pending."
    if heads > 1:
        yield f"There are {heads} branches: tilth migrate rebase, or merge."
    if state.unknown:
        yield f"The database is at {sentence_list(state.unknown)}, which no file has."
    if state.has_drifted:
        yield (
            "The database does not look as its last revision left it: somebody changed it by hand."
        )
    if models.changes:
        yield "The models are not what the revisions make. Write it down: tilth migrate new"
        yield from (f"  {each}" for each in models.changes)
    if models.reason:
        yield f"Whether the models are what the revisions make is not known: {models.reason}"
    yield from (f"{each}." for each in state.loose)


def _document(state: State, models: Unwritten) -> dict[str, object]:
    return {
        "revisions": [
            {
                "revision": each.revision,
                "name": each.name,
                "phase": each.phase,
                "applied": each.is_applied,
                "applied_at": each.applied_at.isoformat() if each.applied_at else None,
                "edited": each.is_edited,
            }
            for each in state.revisions
        ],
        "pending": state.pending,
        "unknown": list(state.unknown),
        "drifted": state.has_drifted,
        "loose": list(state.loose),
        "models_differ": None if models.reason else list(models.changes),
    }
