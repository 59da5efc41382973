"""An actor as it is written on the command line → the Actor."""

from __future__ import annotations

from tilth.errors import CommandError
from tilth.kernel.policy.actor import ANONYMOUS, Actor
from tilth.kit.text import suggest

PARTS = ("id", "roles", "tenant")
FORMS = "Write anonymous, an id, or id=7,roles=admin+editor,tenant=acme."
USAGE = 2


def actor_from(text: str) -> Actor:
    """`anonymous`, `7`, or `id=7,roles=admin+editor,tenant=acme`. Raises CommandError."""
    if text == "anonymous":
        return ANONYMOUS
    if "=" not in text:
        return Actor(text, method="command line", assurance=1)
    given: dict[str, str] = {}
    for piece in text.split(","):
        name, _, value = piece.strip().partition("=")
        if name not in PARTS or name in given or not value:
            raise _unreadable(piece.strip(), name)
        given[name] = value
    return Actor(
        given.get("id"),
        roles=frozenset(filter(None, given.get("roles", "").split("+"))),
        tenant=given.get("tenant"),
        method="command line",
        assurance=1 if "id" in given else 0,
    )


def _unreadable(piece: str, name: str) -> CommandError:
    close = None if name in PARTS else suggest(name, PARTS)
    hint = f"Did you mean {close}? {FORMS}" if close else FORMS
    return CommandError(f"{piece} does not describe an actor.", hint, exit_code=USAGE)
