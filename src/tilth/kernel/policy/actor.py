"""Who asks."""

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
