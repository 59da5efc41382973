"""Passkeys added and used over HTTP, for the stories that tell what becomes of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from tests.stories.auth.authenticator import TRUTH, Authenticator, Said

from tilth.features.auth.models.tables import AUDIT

Site = Any
Browser = Any


def enrol(browser: Browser, device: Authenticator, said: Said = TRUTH, name: str = "Key") -> Any:
    asked = browser.post("/auth/passkeys/options").json()
    made = device.make(asked["publicKey"], said)
    return browser.post("/auth/passkeys", {"flow": asked["flow"], "credential": made, "name": name})


def use(
    browser: Browser, device: Authenticator, said: Said = TRUTH, path: str = "/auth/sign-in/passkey"
) -> Any:
    asked = browser.post("/auth/sign-in/passkey/options").json()
    signed = device.sign(asked["publicKey"], said)
    return browser.post(path, {"flow": asked["flow"], "credential": signed})


def has_passkey(site: Site, name: str = "bob", **more: Any) -> tuple[Browser, Authenticator]:
    """Somebody signed in who has one, and their authenticator."""
    site.account(name, **more)
    browser, device = site.browser(), Authenticator()
    assert browser.sign_in(name).status_code == 200
    assert enrol(browser, device).status_code == 201
    return browser, device


def happened(site: Site) -> list[str]:
    return [row["type"] for row in site.sql(select(AUDIT.c.type).order_by(AUDIT.c.id))]
