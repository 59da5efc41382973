"""Every mistake and warning of an application at once, with place and remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from tilth.app import Application
from tilth.cli.discover import application_for
from tilth.cli.migrate.place import may_be_migrated
from tilth.cli.talk import counted, finding_document, findings_text, print_document, say, stdout
from tilth.errors import Finding, SetupError

Look = Callable[[Application], Sequence[Finding]]

OF_AUTH = ("auth.", "policy.", "settings.")
"""Codes of what concerns signing in: who may do what belongs to it."""


def check(named: str | None, *, as_json: bool) -> None:
    """Exit code 1 when there is an error; warnings alone are no failure."""
    _tell(_findings(named, lambda app: _checked(named, app)), as_json=as_json)


def _checked(named: str | None, app: Application) -> Sequence[Finding]:
    found, target = app.check(), may_be_migrated(named)
    if target is None or any(finding.level == "error" for finding in found):
        return found
    # What runs migrations is imported only where there are some.
    from tilth.cli.migrate.unwritten import unwritten_changes

    return [*found, *unwritten_changes(target, app)]


def doctor(named: str | None, *, only_auth: bool, as_json: bool) -> None:
    """The same of what keeps it from serving in production."""
    found = _findings(named, Application.doctor)
    if only_auth:
        found = [finding for finding in found if finding.code.startswith(OF_AUTH)]
    _tell(found, as_json=as_json)


def _tell(findings: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        print_document({"findings": [finding_document(finding) for finding in findings]})
    elif findings:
        stdout().print(findings_text(findings), soft_wrap=True)
    say(_summary(findings))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _findings(named: str | None, look: Look) -> Sequence[Finding]:
    """Mistakes in the settings already keep the application from being made."""
    try:
        return look(application_for(named))
    except SetupError as error:
        return error.findings


def _summary(findings: Sequence[Finding]) -> str:
    if not findings:
        return "No mistakes found."
    errors = sum(finding.level == "error" for finding in findings)
    return f"{counted(errors, 'error')}, {counted(len(findings) - errors, 'warning')}."
