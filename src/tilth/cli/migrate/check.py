"""tilth migrate check: the history proved in a scratch database."""

from __future__ import annotations

import typer

from tilth.cli.migrate.opened import history_of, project_for
from tilth.cli.talk import counted, finding_document, findings_text, print_document, say, stdout
from tilth.runtime.migrate.checksums import write_checksums
from tilth.runtime.migrate.explaining import explained
from tilth.runtime.migrate.trying.proving import prove


def check(named: str | None, *, is_sealed: bool, as_json: bool) -> None:
    """Exit code 1 when there is an error; warnings alone are no failure."""
    project = project_for(named)
    history = history_of(project, one_head=False)
    if is_sealed:
        write_checksums(project.checksums, history.scripts)
    with explained(project.url):
        findings = prove(project, history, lambda _: None)
    if as_json:
        print_document({"findings": [finding_document(each) for each in findings]})
    elif findings:
        stdout().print(findings_text(findings), soft_wrap=True)
    errors = sum(each.level == "error" for each in findings)
    warnings = len(findings) - errors
    proved = counted(len(history.scripts), "revision")
    if not findings:
        say(f"{proved}: up, down and up again, with rows, and the models are what they make.")
    else:
        say(f"{proved}: {counted(errors, 'error')}, {counted(warnings, 'warning')}.")
    if errors:
        raise typer.Exit(1)
