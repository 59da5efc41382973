"""Support: acting as somebody else, for a reason, for an hour at most, and never upwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import Forbidden, NotFound
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.roles import roles_of, stored_roles
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import account_by_id
from tilth.features.auth.service.accounts import Accounts, permissions_of
from tilth.features.auth.service.session_credentials import Begun, Support, new_session
from tilth.kernel.policy.actor import SUPERUSER, Actor

PERMISSION = "users.impersonate"
LONGEST = timedelta(hours=1)


async def impersonate(
    accounts: Accounts,
    actor: Actor,
    user_id: UUID,
    reason: str,
    life: timedelta,
    origin: Origin,
) -> Begun:
    """A session as the other, which says who is behind it. Raises Forbidden and NotFound.

    Never as somebody with a role or a permission that the actor does not have.
    """
    _check_may(actor)
    mine = UUID(str(actor.id))

    def begun(session: Session, now: datetime) -> Begun | None:
        account = account_by_id(session, user_id)
        if account is None or account.disabled_at:
            return None
        _check_not_upwards(accounts, session, actor, user_id)
        support = Support(mine, reason, min(life, LONGEST))
        proof = Proof(user_id, min(actor.assurance, 1), ("support",), now)
        made = new_session(
            accounts, session, proof, now, origin, epoch=account.epoch, support=support
        )
        data = {"reason": reason, "session": str(made.id)}
        record(session, "impersonation.begun", now, origin, user_id=user_id, data=data)
        return made

    found = await accounts.run(begun)
    if found is None:
        raise NotFound("There is no such account.")
    return found


def _check_may(actor: Actor) -> None:
    if actor.impersonator is not None:
        raise Forbidden("Go back to your own account first.", code="impersonating")
    if not actor.permits(PERMISSION):
        raise Forbidden(f"This needs the permission {PERMISSION}.")


def _check_not_upwards(accounts: Accounts, session: Session, actor: Actor, user_id: UUID) -> None:
    theirs = roles_of(session, user_id)
    stored = stored_roles(session)
    permitted = frozenset(p for role in theirs for p in stored.get(role, ()))
    permissions = permissions_of(accounts.backend.roles, theirs, permitted)
    is_equal = str(user_id) == actor.id or PERMISSION in permissions or SUPERUSER in theirs
    is_within = permissions <= actor.permissions and theirs <= actor.roles
    if is_equal or not (is_within or SUPERUSER in actor.roles):
        raise Forbidden("Nobody may act as somebody who may as much or more.", code="upwards")
