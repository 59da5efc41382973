"""Challenges: each good for one answer, of one kind, in the client that asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.features.auth.models.secrets import Kind, NewSecret, Secret, consume, issue
from tilth.kit.secrets import is_same, new_bytes, token_digest

LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Asked:
    """flow: stays with the client that asked. public_key: for navigator.credentials."""

    flow: str
    public_key: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Challenge:
    """One that was used up, whatever becomes of its answer. handle: of the account that enrols."""

    value: bytes
    user_id: UUID | None
    handle: bytes


def new_challenge(
    session: Session,
    kind: Kind,
    flow: str,
    now: datetime,
    *,
    user_id: UUID | None = None,
    credential: str | None = None,
    handle: bytes = b"",
) -> bytes:
    """credential: the session or token that has to come back with the answer."""
    value = new_bytes()
    new = NewSecret(
        kind,
        token_digest(flow),
        now + LIFE,
        user_id,
        None if credential is None else token_digest(credential),
        {"challenge": value.hex(), "handle": handle.hex()},
    )
    issue(session, new, now)
    return value


def used_challenge(
    session: Session,
    kind: Kind,
    flow: str,
    now: datetime,
    *,
    user_id: UUID | None = None,
    credential: str | None = None,
) -> Challenge | None:
    """Uses it up before anything is verified: what was signed for it is worth nothing a second time."""
    secret = consume(session, kind, token_digest(flow), now, user_id=user_id)
    if secret is None or not _is_bound_to(secret, credential):
        return None
    told = secret.data
    return Challenge(
        bytes.fromhex(told["challenge"]), secret.user_id, bytes.fromhex(told["handle"])
    )


def _is_bound_to(secret: Secret, credential: str | None) -> bool:
    if secret.bound_to is None:
        return True
    return credential is not None and is_same(secret.bound_to, token_digest(credential))
