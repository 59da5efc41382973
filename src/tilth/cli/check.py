"""Every mistake and warning of an application at once, with place and remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from tilth.app import Application
from tilth.cli.discover import application_for, application_in, imported
from tilth.cli.migrate.place import has_migrations
from tilth.cli.talk import counted, finding_document, findings_text, print_document, say, stdout
from tilth.cli.target import default_source, is_database_url, target_from
from tilth.errors import Finding, SetupError

Look = Callable[[Application], Sequence[Finding]]

OF_AUTH = ("auth.", "policy.", "settings.")
"""Codes of what concerns signing in: who may do what belongs to it."""


def check(named: str | None, *, as_json: bool) -> None:
    """Exit code 1 when there is an error; warnings alone are no failure."""
    try:
        found = _checked(default_source() if named is None else named)
    except SetupError as error:
        found = error.findings
    _tell(found, as_json=as_json)


def _checked(source: str) -> Sequence[Finding]:
    if is_database_url(source):
        return application_for(source).check()
    target = target_from(source)
    app = application_in(imported(target), target)
    found = app.check()
    if any(finding.level == "error" for finding in found) or not has_migrations(target):
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
