"""The revisions, tried in a scratch database, beside the models → what is in no revision yet."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from tilth.errors import Finding, TilthError
from tilth.kit.text import sentence_list
from tilth.runtime.migrate.codes import Level, finding_of
from tilth.runtime.migrate.explaining import explained
from tilth.runtime.migrate.history import History
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.writing.find import difference


@dataclass(frozen=True, slots=True)
class Unwritten:
    """changes: in words. reason: why they are not known, "" when they are."""

    changes: tuple[str, ...] = ()
    reason: str = ""


def unwritten(project: Project, history: History) -> Unwritten:
    """Never fails: without a scratch database, or with a revision that fails, it is not known."""
    try:
        with explained(project.url):
            return Unwritten(tuple(map(str, difference(project, history))))
    except (TilthError, SQLAlchemyError) as exc:
        return Unwritten(reason=" ".join(str(exc).split()))


def models_differ(changes: tuple[str, ...], level: Level = "error") -> Finding:
    return finding_of(
        "models_differ",
        "models",
        f"are not what the revisions make: {sentence_list(changes)}.",
        'Write it down: tilth migrate new -m "…".',
        level,
    )
