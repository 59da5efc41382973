"""Every mistake and warning of an application at once, with place and remedy."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from tilth.cli.discover import application_for
from tilth.cli.talk import counted, finding_document, findings_text, print_document, say, stdout
from tilth.errors import Finding, SetupError


def check(named: str | None, *, as_json: bool) -> None:
    """Exit code 1 when there is an error; warnings alone are no failure."""
    findings = _findings(named)
    if as_json:
        print_document({"findings": [finding_document(finding) for finding in findings]})
    elif findings:
        stdout().print(findings_text(findings), soft_wrap=True)
    say(_summary(findings))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _findings(named: str | None) -> Sequence[Finding]:
    """Mistakes in the settings already keep the application from being made."""
    try:
        return application_for(named).check()
    except SetupError as error:
        return error.findings


def _summary(findings: Sequence[Finding]) -> str:
    if not findings:
        return "No mistakes found."
    errors = sum(finding.level == "error" for finding in findings)
    return f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}."
