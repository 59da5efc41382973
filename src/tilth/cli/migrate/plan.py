"""tilth migrate plan: what up would do, statement by statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import typer
from rich.text import Text

from tilth.cli.migrate.opened import history_of, project_for
from tilth.cli.talk import finding_document, findings_text, print_document, say, stdout
from tilth.runtime.migrate.explaining import explained
from tilth.runtime.migrate.trying.planning import (
    PlannedRevision,
    PlannedStatement,
    is_refused,
    plan_of,
)


def plan(named: str | None, target: str, *, as_json: bool) -> None:
    """Exit code 1 when something of it would be refused."""
    project = project_for(named)
    history = history_of(project, one_head=not project.is_adopted)
    with explained(project.url):
        planned = plan_of(project, history, target)
    if as_json:
        print_document({"revisions": [_document(each) for each in planned]})
    else:
        for each in planned:
            stdout().print(Text("\n").join(_lines(each)), soft_wrap=True)
    say(_summary(planned))
    if is_refused(planned):
        raise typer.Exit(1)


def _lines(each: PlannedRevision) -> Iterator[Text]:
    undone = "cannot be undone" if each.irreversible else "can be undone"
    yield Text(f"{each.name}  ({each.phase}, {undone})", "bold")
    for statement in each.statements:
        yield Text(f"  {statement.sql}")
        if told := _cost(statement):
            yield Text(f"      {told}", "dim")
    if each.findings:
        yield findings_text(each.findings)


def _cost(statement: PlannedStatement) -> str:
    parts = [statement.lock]
    if statement.table and statement.rows:
        parts.append(f"{statement.table} has {statement.rows:,} rows")
    if statement.rewrites:
        parts.append("written anew")
    if statement.rows:
        parts.append(
            f"about {statement.seconds:.1f} s" if statement.seconds >= 0.05 else "a moment"
        )
    return " · ".join(filter(None, parts))


def _summary(planned: Sequence[PlannedRevision]) -> str:
    if not planned:
        return "Nothing is pending."
    if is_refused(planned):
        return "up would refuse this. Rewrite it, or say why it is right: --assured REASON."
    return f"{len(planned)} pending. Apply with: tilth migrate up."


def _document(each: PlannedRevision) -> dict[str, object]:
    return {
        "revision": each.revision,
        "name": each.name,
        "phase": each.phase,
        "irreversible": each.irreversible or None,
        "statements": [asdict(statement) for statement in each.statements],
        "findings": [finding_document(finding) for finding in each.findings],
    }
