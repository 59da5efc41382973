"""Who asks, as it is written on the command line."""

import pytest

from tilth import Actor
from tilth.cli.actor import actor_from
from tilth.errors import CommandError
from tilth.kernel.policy.actor import ANONYMOUS

MADE = {"method": "command line"}
ACTORS = [
    ("anonymous", ANONYMOUS),
    ("7", Actor("7", assurance=1, **MADE)),
    ("bob@example.org", Actor("bob@example.org", assurance=1, **MADE)),
    (
        "id=7,roles=admin+editor,tenant=acme",
        Actor("7", roles=frozenset({"admin", "editor"}), tenant="acme", assurance=1, **MADE),
    ),
    ("roles=admin", Actor(None, roles=frozenset({"admin"}), **MADE)),
]


@pytest.mark.parametrize(("text", "actor"), ACTORS, ids=[text for text, _ in ACTORS])
def test_actor_is_read(text: str, actor: Actor) -> None:
    assert actor_from(text) == actor


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id=7,role=admin", "Did you mean roles?"),
        ("id=7,id=8", "Write anonymous, an id"),
        ("id=", "Write anonymous, an id"),
        ("id=7,admin", "Write anonymous, an id"),
    ],
)
def test_unreadable_actor_is_a_usage_error(text: str, said: str) -> None:
    with pytest.raises(CommandError) as caught:
        actor_from(text)

    assert caught.value.exit_code == 2
    assert said in str(caught.value.hint)
