"""What was found of a credential → the actor that policies ask about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tilth.features.auth.models.identity import Identity, identity_from
from tilth.features.auth.models.sessions import Proof
from tilth.features.auth.service.accounts import Accounts, permissions_of
from tilth.kernel.policy.actor import Actor


def actor_from(
    accounts: Accounts,
    rows: Sequence[Mapping[str, Any]],
    method: str,
    *,
    assurance: int,
    credential: str | None,
    authenticated_at: datetime | None = None,
    scopes: str | None = None,
    impersonator: str | None = None,
) -> Actor:
    """rows: of one user, from one of the looks. scopes: separated by spaces; None for no limit."""
    identity: Identity = identity_from(rows)
    declared = accounts.backend.roles
    return Actor(
        id=str(identity.id),
        roles=identity.roles,
        scopes=None if scopes is None else frozenset(scopes.split()),
        method=method,
        assurance=assurance,
        permissions=permissions_of(declared, identity.roles, identity.permissions),
        authenticated_at=authenticated_at,
        credential=credential,
        impersonator=impersonator,
    )


def proof_of(row: Mapping[str, Any]) -> Proof:
    return Proof(
        row["user_id"], row["assurance"], tuple(row["methods"].split()), row["authenticated_at"]
    )
