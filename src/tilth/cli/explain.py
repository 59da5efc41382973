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
from tilth.cli.talk import print_document, say, stdout
from tilth.cli.user import with_accounts
from tilth.errors import CommandError
from tilth.feature import Backend
from tilth.features.api.routes import PREFIX
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.administration import actor_named
from tilth.kernel.plan.sight import Sight
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Action
from tilth.kernel.schema.resource import Resource
from tilth.kernel.store.explain import Explanation, Part, explain_row

ACTIONS: dict[str, Action] = {"read": "read", "update": "update", "delete": "delete"}
STYLES = {"allowed": "bold green", "denied": "bold red", "absent": "bold yellow"}
READS = {"value": "readable", "null": "null", "hidden": "hidden"}
VERDICTS = {True: "true", False: "false", None: "unknown"}


def explain(named: str | None, who: str, action: str, row: str, *, as_json: bool) -> None:
    """action: read, update or delete. row: RESOURCE/KEY, the key as in URLs. Every decision is a success."""
    if action not in ACTIONS:
        hint = f"Write: tilth policy explain {who} read {row}"
        raise CommandError(f"{_not_explained(action)}", hint, USAGE)
    actor = actor_from(who)
    resource_name, key_text = _parts_of(row)
    backend = application_for(named).freeze()
    resource = resource_named(backend.schema, resource_name)
    key = key_of(resource, key_text)
    is_name = actor.is_signed_in and "=" not in who
    accounts = backend.states.get("auth") if is_name else None
    if isinstance(accounts, Accounts):
        account, actor = with_accounts(named, lambda each: actor_named(each, who))
        say(f"{who} is the account {account.label}, id {account.id}.")
    explanation = asyncio.run(_explained(backend, actor, resource, key, ACTIONS[action]))
    if as_json:
        asked = {
            "actor": actor.id or who,
            "action": action,
            "resource": resource.name,
            "key": list(key),
        }
        print_document(asked | asdict(explanation))
    else:
        _print(explanation, f"{who} {action} {resource.name}/{key_text}")
        if action == "update" and explanation.decision == "allowed":
            page = stdout()
            page.print("\nThe same is asked of the row as it will be, once it is changed.")


def _not_explained(action: str) -> str:
    if action == "create":
        return "create cannot be explained: its rule is about a row that is not there yet."
    return f"{action} cannot be explained, only read, update and delete."


def _parts_of(row: str) -> tuple[str, str]:
    resource_name, _, key_text = row.removeprefix(f"{PREFIX}/").partition("/")
    if not resource_name or not key_text:
        raise CommandError(f"{row} names no row.", "Write RESOURCE/KEY: heroes/7", USAGE)
    return resource_name, key_text


async def _explained(
    backend: Backend, actor: Actor, resource: Resource, key: Sequence[str], action: Action
) -> Explanation:
    sight = Sight(backend.schema, backend.rulebook, actor)
    try:
        return await explain_row(backend.store, sight, resource.name, key, action)
    finally:
        await backend.store.database.close()


def _print(explanation: Explanation, asked: str) -> None:
    page = stdout()
    decision = explanation.decision
    page.print(Text.assemble((decision, STYLES[decision]), f": {asked}"), soft_wrap=True)
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
