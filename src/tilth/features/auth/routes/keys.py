"""/auth/keys: API keys, and the public keys that access tokens are verified with."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from fastapi import Request
from starlette.responses import Response

from tilth.features.auth.models.api_keys import keys_of
from tilth.features.auth.routes.answering import answer, own
from tilth.features.auth.routes.bodies import KeyMade, KeyRequest, KeyShown, KeysShown, Rotation
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.service import api_keys_kept


async def keys(accounts: Here, request: Request) -> Response:
    """API keys of the account, without what is secret of them."""
    _, account, _ = await own(accounts, request)
    rows = await accounts.run(lambda session, _: keys_of(session, account.id))
    shown = [
        KeyShown(
            id=row["id"],
            name=row["name"],
            lookup=row["lookup"],
            scopes=row["scopes"].split() if row["scopes"] is not None else None,
            addresses=row["addresses"].split() if row["addresses"] is not None else None,
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            last_used_at=row["last_used_at"],
        ).model_dump(mode="json")
        for row in rows
    ]
    return answer({"items": shown})


async def make_key(accounts: Here, request: Request, body: KeyRequest) -> Response:
    """A key for programs, sent as `x-api-key`. It is shown this once."""
    _, account, origin = await own(accounts, request, fresh=True)
    wanted = api_keys_kept.Wanted(body.name, body.scopes, body.addresses, body.expires_at)
    made = await api_keys_kept.make(accounts, account.id, wanted, origin)
    return answer(KeyMade(id=made.id, key=made.text), 201)


async def rotate_key(accounts: Here, request: Request, key_id: UUID, body: Rotation) -> Response:
    """A new key that may do the same; the old one is good for a while longer."""
    _, account, origin = await own(accounts, request, fresh=True)
    overlap = timedelta(seconds=body.overlap_seconds)
    made = await api_keys_kept.rotate(accounts, account.id, key_id, overlap, origin)
    return answer(KeyMade(id=made.id, key=made.text), 201)


async def revoke_key(accounts: Here, request: Request, key_id: UUID) -> Response:
    _, account, origin = await own(accounts, request)
    await api_keys_kept.revoke(accounts, account.id, key_id, origin)
    return answer(None)


KEYS = (
    Endpoint("GET", "/keys", keys, answers=KeysShown),
    Endpoint("POST", "/keys", make_key, status=201, answers=KeyMade),
    Endpoint("POST", "/keys/{key_id}/rotate", rotate_key, status=201, answers=KeyMade),
    Endpoint("DELETE", "/keys/{key_id}", revoke_key, status=204),
)
