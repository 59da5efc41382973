"""Browsers in which somebody asked not to be asked for a second factor again for a while.

A random token in a cookie, kept as a digest. It only leaves the second step of a sign-in out: what is signed in
so counts as one factor, and whatever asks for two still does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.models.secrets import NewSecret, issue, listed, revoke_one, usable
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.models.users import Account
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.factors_asked import RECOVERY
from tilth.features.auth.service.sign_in import Establish, Result
from tilth.kit.secrets import new_token, token_digest


@dataclass(frozen=True, slots=True)
class Trust:
    """token: goes into the cookie of the browser."""

    life: timedelta
    token: str = field(default_factory=new_token, repr=False)


def trusting(trust: Trust, origin: Origin, establish: Establish[Result]) -> Establish[Result]:
    """What is established, and the browser remembered with it, in the same unit."""

    def established(session: Session, proof: Proof, account: Account, now: datetime) -> Result:
        if is_earned(proof.methods):
            told = {"agent": origin.agent, "address": origin.address}
            new = NewSecret(
                "trusted_device", token_digest(trust.token), now + trust.life, account.id, data=told
            )
            issue(session, new, now)
            record(session, "trusted_device.added", now, origin, user_id=account.id)
        return establish(session, proof, account, now)

    return established


def is_earned(methods: Sequence[str]) -> bool:
    """Not by a recovery code: it stands for a factor that was lost, or found by a stranger."""
    return RECOVERY not in methods


def is_trusted(
    accounts: Accounts, session: Session, user_id: UUID, token: str | None, now: datetime
) -> bool:
    """token: from the cookie of the browser that asks, if it has one."""
    if token is None or accounts.options.trusted_devices is None:
        return False
    found = usable(session, "trusted_device", token_digest(token), now)
    return found is not None and found.user_id == user_id


def devices_of(session: Session, user_id: UUID, now: datetime) -> Sequence[Any]:
    """Newest first: id, created_at, expires_at, and data with agent and address."""
    return listed(session, user_id, "trusted_device", now)


async def forget_device(
    accounts: Accounts, account: Account, device_id: UUID, origin: Origin
) -> bool:
    """False when this account has no such device."""

    def forgotten(session: Session, now: datetime) -> bool:
        if not revoke_one(session, account.id, "trusted_device", device_id):
            return False
        record(session, "trusted_device.removed", now, origin, user_id=account.id)
        return True

    return await accounts.run(forgotten)
