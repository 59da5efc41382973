"""API keys of an account: made, rotated and revoked by whoever has proved who they are lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from sqlalchemy.orm import Session

from tilth.errors import Fault, NotFound, invalid
from tilth.features.auth.models.api_keys import (
    MOST_KEYS,
    NewKey,
    key_of,
    keys_of,
    new_key,
    replace_key,
    revoke_key,
)
from tilth.features.auth.models.audit import Origin, record
from tilth.features.auth.service.accounts import Accounts, flat
from tilth.features.auth.service.keys import new_key as random_key

LONGEST_OVERLAP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Wanted:
    """addresses: networks it may be used from. scopes: None for all that its user may."""

    name: str
    scopes: Sequence[str] | None
    addresses: Sequence[str] | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class MadeKey:
    """text: the key, to be shown this once."""

    id: UUID
    text: str


async def make(accounts: Accounts, user_id: UUID, wanted: Wanted, origin: Origin) -> MadeKey:
    """Raises Invalid."""
    _check(wanted, accounts.now())
    key = random_key()

    def made(session: Session, now: datetime) -> UUID:
        if len(keys_of(session, user_id)) >= MOST_KEYS:
            detail = f"An account has at most {MOST_KEYS} keys. Revoke some first."
            raise invalid([Fault("", "too_many_keys", detail)])
        row = NewKey(
            key.lookup,
            key.digest,
            user_id,
            wanted.name,
            flat(wanted.scopes),
            flat(wanted.addresses),
            wanted.expires_at,
        )
        id_ = new_key(session, row, now)
        record(session, "api_key.made", now, origin, user_id=user_id, data={"key": str(id_)})
        return id_

    return MadeKey(await accounts.run(made), key.text)


async def rotate(
    accounts: Accounts, user_id: UUID, key_id: UUID, overlap: timedelta, origin: Origin
) -> MadeKey:
    """A key that may do the same; the old one is good for the overlap. Raises NotFound."""
    key = random_key()
    kept = min(overlap, LONGEST_OVERLAP)

    def rotated(session: Session, now: datetime) -> UUID | None:
        old = key_of(session, key_id, user_id)
        if old is None:
            return None
        row = NewKey(
            key.lookup,
            key.digest,
            user_id,
            old["name"],
            old["scopes"],
            old["addresses"],
            old["expires_at"],
        )
        made = new_key(session, row, now)
        ends = min(now + kept, old["expires_at"] or now + kept)
        if not replace_key(session, key_id, made, ends):
            raise no_such_key()
        data = {"key": str(made), "replaces": str(key_id)}
        record(session, "api_key.rotated", now, origin, user_id=user_id, data=data)
        return made

    found = await accounts.changed(rotated)
    if found is None:
        raise no_such_key()
    return MadeKey(found, key.text)


async def revoke(accounts: Accounts, user_id: UUID, key_id: UUID, origin: Origin) -> None:
    """Raises NotFound, also for a key of somebody else."""

    def revoked(session: Session, now: datetime) -> bool:
        if not revoke_key(session, key_id, user_id):
            return False
        record(session, "api_key.revoked", now, origin, user_id=user_id, data={"key": str(key_id)})
        return True

    if not await accounts.changed(revoked):
        raise no_such_key()


def no_such_key() -> NotFound:
    return NotFound("There is no such API key.")


def _check(wanted: Wanted, now: datetime) -> None:
    faults = []
    for at, scope in enumerate(wanted.scopes or ()):
        if not scope or not scope.isascii() or not scope.isprintable() or " " in scope:
            detail = "A scope is a word without spaces, such as heroes:read."
            faults.append(Fault(f"/scopes/{at}", "bad_scope", detail))
    for at, network in enumerate(wanted.addresses or ()):
        try:
            ip_network(network, strict=False)
        except ValueError:
            detail = "Expected an address or a network, such as 192.0.2.0/24."
            faults.append(Fault(f"/addresses/{at}", "bad_network", detail))
    if wanted.expires_at is not None and wanted.expires_at <= now:
        faults.append(Fault("/expires_at", "in_the_past", "This moment is over."))
    if faults:
        raise invalid(faults)
