"""Why somebody may, or may not, read one row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from rich.text import Text

from tilth.cli.actor import USAGE, actor_from
from tilth.cli.describe import resource_named
from tilth.cli.discover import application_for
from tilth.cli.rows import key_of
from tilth.cli.talk import print_document, stdout
from tilth.errors import CommandError
from tilth.feature import Backend
from tilth.features.api.routes import PREFIX
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.schema.resource import Resource
from tilth.kernel.store.explain import Explanation, Part, explain_read

STYLES = {"allowed": "bold green", "denied": "bold red", "absent": "bold yellow"}
READS = {"value": "readable", "null": "null", "hidden": "hidden"}
VERDICTS = {True: "true", False: "false", None: "unknown"}


def explain(named: str | None, who: str, action: str, row: str, *, as_json: bool) -> None:
    """row: RESOURCE/KEY, the key as in URLs. Every decision is a success."""
    if action != "read":
        hint = f"Write: tilth policy explain {who} read {row}"
        raise CommandError(f"Only read can be explained today, not {action}.", hint, USAGE)
    actor = actor_from(who)
    resource_name, key_text = _parts_of(row)
    backend = application_for(named).freeze()
    resource = resource_named(backend.schema, resource_name)
    key = key_of(resource, key_text)
    explanation = asyncio.run(_explained(backend, actor, resource, key))
    if as_json:
        asked = {"actor": who, "action": "read", "resource": resource.name, "key": list(key)}
        print_document(asked | asdict(explanation))
    else:
        _print(explanation, who, f"{resource.name}/{key_text}")


def _parts_of(row: str) -> tuple[str, str]:
    resource_name, _, key_text = row.removeprefix(f"{PREFIX}/").partition("/")
    if not resource_name or not key_text:
        raise CommandError(f"{row} names no row.", "Write RESOURCE/KEY: heroes/7", USAGE)
    return resource_name, key_text


async def _explained(
    backend: Backend, actor: Actor, resource: Resource, key: Sequence[str]
) -> Explanation:
    sight = Sight(backend.schema, backend.rulebook, actor)
    try:
        return await explain_read(backend.store, sight, resource.name, key)
    finally:
        await backend.store.database.close()


def _print(explanation: Explanation, who: str, row: str) -> None:
    page = stdout()
    decision = explanation.decision
    page.print(Text.assemble((decision, STYLES[decision]), f": {who} read {row}"), soft_wrap=True)
    for reason in explanation.because:
        page.print(f"because {reason}", soft_wrap=True)
    if explanation.parts:
        page.print("\nrules", style="bold")
    for part in explanation.parts:
        page.print(_line(part), soft_wrap=True)
    if explanation.fields and decision == "allowed":
        page.print("\nfields", style="bold")
        for mask in explanation.fields:
            line = f"{READS[mask.reads]:9}{mask.field}: {mask.wording}"
            page.print(line, soft_wrap=True)
    if explanation.sql:
        page.print("\nSQL", style="bold")
        page.print(explanation.sql, soft_wrap=True)


def _line(part: Part) -> str:
    return f"{VERDICTS[part.verdict]:9}{'  ' * part.depth}{part.wording}"
