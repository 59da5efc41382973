"""Who asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.types import TypeEngine

SUPERUSER = "superuser"
"""The role that has every permission. Policies name the roles they let in, this one too."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One identity, however it signed in.

    id: None for nobody in particular (anonymous).
    roles, permissions: names granted to this identity.
    scopes: what the credential is limited to (`heroes:read`); None means not limited.
    tenant: the tenant this request works in.
    method: how it signed in ("anonymous", "bearer", "session" …).
    assurance: 0 anonymous, 1 one factor, 2 two factors.
    authenticated_at: when it last proved who it is. credential: id of the session or key it came with.
    impersonator: id of who acts as this identity, for support.
    """

    id: str | None = None
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] | None = None
    tenant: str | None = None
    method: str = "anonymous"
    assurance: int = 0
    permissions: frozenset[str] = frozenset()
    authenticated_at: datetime | None = None
    credential: str | None = None
    impersonator: str | None = None

    @property
    def is_signed_in(self) -> bool:
        return self.id is not None

    def permits(self, permission: str) -> bool:
        return permission in self.permissions or SUPERUSER in self.roles

    def may_in(self, resource: str, action: str) -> bool:
        """Whether the credential reaches so far; what the identity may, policies say.

        Scopes are `read`, `write`, `heroes`, `heroes:read`, `heroes:write`, `heroes:delete` …; each
        `write` stands for create, update and delete.
        """
        if self.scopes is None:
            return True
        verbs = (action,) if action == "read" else (action, "write")
        reaching = {resource, *verbs, *(f"{resource}:{verb}" for verb in verbs)}
        return not reaching.isdisjoint(self.scopes)


ANONYMOUS = Actor()


def json_of(actor: Actor) -> dict[str, Any]:
    """Everything that is known of an actor, to be kept or sent as JSON; actor_from_json reads it."""
    proved = actor.authenticated_at
    return {
        "id": actor.id,
        "roles": sorted(actor.roles),
        "scopes": None if actor.scopes is None else sorted(actor.scopes),
        "tenant": actor.tenant,
        "method": actor.method,
        "assurance": actor.assurance,
        "permissions": sorted(actor.permissions),
        "authenticated_at": None if proved is None else proved.isoformat(),
        "credential": actor.credential,
        "impersonator": actor.impersonator,
    }


def actor_from_json(told: Mapping[str, Any]) -> Actor:
    """Raises KeyError, TypeError and ValueError for what json_of has not made."""
    proved, scopes = told["authenticated_at"], told["scopes"]
    return Actor(
        id=told["id"],
        roles=frozenset(told["roles"]),
        scopes=None if scopes is None else frozenset(scopes),
        tenant=told["tenant"],
        method=told["method"],
        assurance=told["assurance"],
        permissions=frozenset(told["permissions"]),
        authenticated_at=None if proved is None else datetime.fromisoformat(proved),
        credential=told["credential"],
        impersonator=told["impersonator"],
    )


def actor_value(text: str | None, type_: TypeEngine[Any]) -> Any:
    """An actor's id or tenant as a value of a column's type; None, which denies, if it cannot be."""
    try:
        wanted = type_.python_type
    except NotImplementedError:  # a type of the developer's own, which says nothing of its values
        return text
    try:
        return wanted(text) if text is not None and wanted in (int, UUID) else text
    except ValueError:
        return None
