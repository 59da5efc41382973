"""/auth/trusted-devices: browsers that are not asked for a second factor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.requests import Request as PlainRequest
from starlette.responses import Response

from tilth.errors import NotFound
from tilth.features.auth.models.users import Account
from tilth.features.auth.routes.answering import answer, own
from tilth.features.auth.routes.bodies import DeviceShown, DevicesShown
from tilth.features.auth.routes.endpoints import Endpoint, Here
from tilth.features.auth.service.accounts import Accounts
from tilth.features.auth.service.browser import cookie_of, set_cookie
from tilth.features.auth.service.factors_asked import Factor
from tilth.features.auth.service.trusted import (
    Trust,
    devices_of,
    forget_device,
    is_earned,
    is_trusted,
)

TRUST_SUFFIX = "-trust"


def trusted_here(
    accounts: Accounts, request: PlainRequest
) -> Callable[[Session, Account, datetime], bool]:
    """Whether the browser that asks is one that an account trusts."""
    token = cookie_of(accounts, request, TRUST_SUFFIX)
    return lambda session, account, now: is_trusted(accounts, session, account.id, token, now)


def wanted_trust(accounts: Accounts, is_wanted: bool) -> Trust | None:
    life = accounts.options.trusted_devices
    return Trust(life) if is_wanted and life is not None else None


def remember_trust(
    accounts: Accounts,
    request: PlainRequest,
    response: Response,
    trust: Trust | None,
    factor: Factor | None,
) -> None:
    if trust is not None and factor is not None and is_earned([factor.method]):
        ends = accounts.now() + trust.life
        set_cookie(accounts, request, response, trust.token, ends, suffix=TRUST_SUFFIX)


async def devices(accounts: Here, request: Request) -> Response:
    """Browsers in which the account's owner asked not to be asked again."""
    _, account, _ = await own(accounts, request)
    rows = await accounts.run(lambda session, now: devices_of(session, account.id, now))
    shown = [
        DeviceShown(
            id=row["id"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            **row["data"],
        ).model_dump(mode="json")
        for row in rows
    ]
    return answer({"items": shown})


async def forget(accounts: Here, request: Request, device_id: UUID) -> Response:
    """The next sign-in there asks for a second factor again."""
    _, account, origin = await own(accounts, request)
    if not await forget_device(accounts, account, device_id, origin):
        raise NotFound("There is no such device.")
    return answer(None)


TRUSTED = (
    Endpoint("GET", "/trusted-devices", devices, answers=DevicesShown),
    Endpoint("DELETE", "/trusted-devices/{device_id}", forget, status=204),
)
