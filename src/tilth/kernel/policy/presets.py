"""`preset=` of a policy + an actor → values that a new row gets whatever the client sends."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BindParameter

from tilth.kernel.policy.actor import Actor, actor_value
from tilth.kernel.policy.policy import Policy
from tilth.kernel.schema.resource import Resource


def preset_values(policy: Policy, resource: Resource, actor: Actor) -> Mapping[str, Any]:
    return {
        name: _value(preset, resource.fields[name].expression.type, actor)
        for name, preset in policy.preset.items()
    }


def _value(preset: Any, type_: Any, actor: Actor) -> Any:
    """`me.id` and `me.tenant` stand for the actor's; anything else for itself."""
    if not isinstance(preset, BindParameter):
        return preset
    return actor_value(actor.tenant if preset.key == "me_tenant" else actor.id, type_)
