"""/auth/preferences: what the owner of an account prefers."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import Request
from starlette.responses import Response

from tilth.features.auth.routes.answering import answer, own
from tilth.features.auth.routes.bodies import Preferred
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.service.preferences import prefer, preferences_of


async def shown(accounts: Here, request: Request) -> Response:
    """Text size of the pages, and language."""
    _, account, _ = await own(accounts, request)
    found = await accounts.run(lambda session, _: preferences_of(session, account.id))
    return answer(Preferred(**asdict(found)))


async def change(accounts: Here, request: Request, body: Preferred) -> Response:
    """Prefer something else. What is left out is as it would be without a preference."""
    _, account, _ = await own(accounts, request)
    kept = await prefer(accounts, account.id, body.text_size, body.language)
    return answer(Preferred(**asdict(kept)))


PREFERENCES = (
    Endpoint("GET", "/preferences", shown, answers=Preferred),
    Endpoint("PUT", "/preferences", change, answers=Preferred),
)
