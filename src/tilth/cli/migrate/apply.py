"""tilth migrate up and down: revisions are applied and undone, and it is told which."""

from __future__ import annotations

from collections.abc import Sequence

from tilth.cli.migrate.opened import history_of, project_for
from tilth.cli.talk import findings_text, print_document, say, stderr, stdout
from tilth.errors import Finding
from tilth.runtime.migrate.applying import applied_down, applied_up
from tilth.runtime.migrate.explaining import explained
from tilth.runtime.migrate.project import Project
from tilth.runtime.migrate.run import Applied

NOTHING = "Nothing is pending."


def up(
    named: str | None, target: str, *, assured: str | None, with_contract: bool, as_json: bool
) -> None:
    made = _up(project_for(named), target, assured=assured, with_contract=with_contract)
    _tell(made, NOTHING, as_json=as_json)


def apply(project: Project) -> None:
    """Everything that is pending; beside a server, whose output is its own, it is said only."""
    made = _up(project, "heads", assured=None, with_contract=False)
    for line in map(_line, made):
        say(line)
    if not made:
        say(NOTHING)


def _up(
    project: Project, target: str, *, assured: str | None, with_contract: bool
) -> list[Applied]:
    history = history_of(project, one_head=not project.is_adopted)
    with explained(project.url):
        return applied_up(
            project,
            history,
            target,
            say=say,
            warn=_warn,
            assured=assured,
            with_contract=with_contract,
        )


def down(named: str | None, target: str, *, assured: str | None, as_json: bool) -> None:
    project = project_for(named)
    history = history_of(project, one_head=not project.is_adopted)
    with explained(project.url):
        made = applied_down(project, history, target, say=say, warn=_warn, assured=assured)
    _tell(made, "Nothing is applied.", as_json=as_json)


def _warn(finding: Finding) -> None:
    stderr().print(findings_text([finding]))


def _tell(made: Sequence[Applied], nothing: str, *, as_json: bool) -> None:
    if as_json:
        print_document(
            {
                "applied": [
                    {
                        "revision": each.revision,
                        "name": each.name,
                        "direction": each.direction,
                        "seconds": round(each.seconds, 3),
                    }
                    for each in made
                ]
            }
        )
    elif made:
        stdout().print("\n".join(map(_line, made)))
    else:
        say(nothing)


def _line(applied: Applied) -> str:
    return f"{applied.direction:<5}{applied.name}  {applied.seconds:.2f} s"
