"""For the developer's own routes: the account that asks, and what it must have proved or been granted."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from orjson import loads
from starlette.requests import HTTPConnection

from tilth.errors import Forbidden, Unauthenticated
from tilth.features.auth.models.user import User
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.rules import is_assured
from tilth.runtime.web.actor import actor_of
from tilth.scopes import application_of


async def current_user(connection: HTTPConnection) -> User:
    """One statement beyond that of the credential. Raises Unauthenticated when nobody is signed in."""
    # The libraries behind accounts are not imported where nobody signs in.
    from tilth.features.auth.service.accounts import Accounts

    backend = application_of(connection).freeze()
    actor = await actor_of(connection, backend.readers)
    accounts = backend.states.get("auth")
    assert isinstance(accounts, Accounts), "CurrentUser needs Tilth(auth=Auth())."
    if actor.id is None:
        raise Unauthenticated("Sign in.")
    rows = await accounts.looks.account.rows(
        accounts.backend.store.database, user_id=UUID(actor.id)
    )
    if not rows:
        raise Unauthenticated("Sign in.")
    user = User()
    for name, value in rows[0].items():
        # One of the drivers leaves JSON as text.
        is_text = name == "preferences" and isinstance(value, str)
        setattr(user, name, loads(value) if is_text else value)
    return user


CurrentUser = Annotated[User, Depends(current_user)]
"""The account that asks, as the annotation of a parameter; 401 without one."""


def require(
    *,
    role: str | None = None,
    permission: str | None = None,
    scope: str | None = None,
    assurance: int = 1,
    max_age: float | None = None,
) -> Any:
    """A dependency that answers the Actor, or refuses: `dependencies=[require(role="editor")]`.

    assurance: factors proved, 2 for a second one. max_age: seconds since the last proof. Refused by 401
    with a challenge (RFC 9470) when more has to be proved, by 403 when it would not help.
    """

    async def check(connection: HTTPConnection) -> Actor:
        actor = await actor_of(connection, application_of(connection).freeze().readers)
        if not actor.is_signed_in:
            raise Unauthenticated("Sign in.")
        require_assurance(actor, assurance, max_age)
        if role is not None and role not in actor.roles:
            raise Forbidden(f"This needs the role {role}.")
        if permission is not None and not actor.permits(permission):
            raise Forbidden(f"This needs the permission {permission}.")
        _require_scope(actor, scope)
        return actor

    return Depends(check)


def require_assurance(actor: Actor, level: int, max_age: float | None) -> None:
    """Raises Unauthenticated with the challenge of RFC 9470."""
    if is_assured(actor, level, max_age):
        return
    wanted = f'acr_values="{level}"' + ("" if max_age is None else f', max_age="{max_age:g}"')
    told = 'error="insufficient_user_authentication"'
    raise Unauthenticated(
        "Prove again who you are: POST /auth/step-up with your password, or the code of a second factor; "
        "or sign in again.",
        code="step_up_required",
        headers={"WWW-Authenticate": f'Bearer realm="tilth", {told}, {wanted}'},
    )


def _require_scope(actor: Actor, scope: str | None) -> None:
    """Only credentials that are limited have scopes at all (RFC 6750 section 3.1)."""
    if scope is None or actor.scopes is None or scope in actor.scopes:
        return
    challenge = f'Bearer realm="tilth", error="insufficient_scope", scope="{scope}"'
    raise Forbidden(
        f"This needs the scope {scope}.",
        code="insufficient_scope",
        headers={"WWW-Authenticate": challenge},
    )
