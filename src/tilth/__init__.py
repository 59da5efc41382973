"""Your models in, a whole backend out."""

from tilth.errors import SetupError
from tilth.features.auth.models.user import User
from tilth.features.auth.routes.depends import CurrentUser, require
from tilth.features.auth.settings import Auth
from tilth.kernel.events.event import Event
from tilth.kernel.plan.change import WritePlan
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import assured, me, owner, permission, public, role, signed_in
from tilth.kernel.schema.exposure import Upkeep
from tilth.kernel.schema.types import ExactDecimal
from tilth.scopes import Scope, SyncScope
from tilth.standard import Tilth

__all__ = [
    "Actor",
    "Auth",
    "CurrentUser",
    "Event",
    "ExactDecimal",
    "Policy",
    "Scope",
    "SetupError",
    "SyncScope",
    "Tilth",
    "Upkeep",
    "User",
    "WritePlan",
    "assured",
    "me",
    "owner",
    "permission",
    "public",
    "require",
    "role",
    "signed_in",
]
