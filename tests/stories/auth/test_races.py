"""Fifty at once with one secret: one of them succeeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
AT_ONCE = 50
Site = Any
SiteOf = Callable[..., Any]


def successes(site: Site, method: str, path: str, bodies: list[Any]) -> int:
    """Each from a neighbourhood of its own, so that nobody is only delayed."""
    browsers = [site.browser(address=f"10.{n}.0.1") for n in range(len(bodies))]

    async def all_at_once() -> list[int]:
        import asyncio

        asked = (
            each.client.request(method, path, json=body)
            for each, body in zip(browsers, bodies, strict=True)
        )
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    codes: list[int] = site.run(all_at_once())
    assert all(code < 500 or code == 503 for code in codes), codes
    return len([code for code in codes if code < 300])


@pytest.mark.parametrize("kind", ["sign_up", "reset", "change_email", "verify_email"])
def test_25_a_link_is_followed_once(site_of: SiteOf, kind: str) -> None:
    site = site_of(verify_email=kind != "verify_email")
    bob, flow = site.browser(), ""
    wish = {"username": "bob", "email": "bob@example.org", "password": PASSWORD}
    if kind == "sign_up":
        flow = bob.post("/auth/sign-up", wish).json()["flow"]
        path, token = "/auth/sign-up/confirm", site.token("sign_up")
    else:
        site.account(email="bob@example.org")
        bob.sign_in()
        if kind == "reset":
            bob.post("/auth/forgot", {"identifier": "bob"})
            path, token = "/auth/reset", site.token("reset")
        elif kind == "verify_email":
            bob.post("/auth/verify")
            path, token = "/auth/verify/confirm", site.token("verify_email")
        else:
            bob.post("/auth/email", {"email": "new@example.org", "current_password": PASSWORD})
            site.delivered()
            mail = next(m for m in site.mail.messages if m.kind == "change_email")
            path, token = "/auth/email/confirm", mail.text.partition("token=")[2].split()[0]
    more = {"reset": {"password": OTHER}, "sign_up": {"flow": flow}}.get(kind, {})

    assert successes(site, "POST", path, [{"token": token, **more}] * AT_ONCE) == 1


@pytest.mark.parametrize("answer", ["link", "code"])
def test_39_a_mail_signs_in_once(site: Site, answer: str) -> None:
    site.account(email="bob@example.org")
    flow = site.browser().post("/auth/magic-link", {"identifier": "bob"}).json()["flow"]
    token = site.token("magic_link")
    if answer == "code":
        token = site.mail.messages[-1].text.partition("type this code there: ")[2].split()[0]

    wishes = [{"flow": flow, "code": token}] * AT_ONCE

    assert successes(site, "POST", "/auth/magic-link/sign-in", wishes) == 1


@pytest.mark.parametrize("kind", ["totp", "recovery"])
def test_83_and_85_a_code_is_taken_once(site: Site, kind: str) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    secret, codes = site.totp(bob)
    code = site.code(secret) if kind == "totp" else codes[0]
    flows = [site.browser(address=f"10.{n}.0.1").sign_in().json()["flow"] for n in range(5)]

    wishes = [{"flow": flows[n % 5], "code": code} for n in range(AT_ONCE)]

    assert successes(site, "POST", "/auth/sign-in/second-factor", wishes) == 1


def test_58_a_refresh_token_has_one_successor(site: Site) -> None:
    site.account()
    bob = site.browser()
    first = bob.tokens()["refresh_token"]

    answers = bob.together([("POST", "/auth/token/refresh", {"refresh_token": first})] * AT_ONCE)

    tokens = {each.json()["refresh_token"] for each in answers if each.status_code == 200}
    assert len(tokens) == 1


def test_a_name_is_given_once(site: Site) -> None:
    wish = {"username": "bob", "password": PASSWORD}

    assert successes(site, "POST", "/auth/sign-up", [wish] * 20) == 1
