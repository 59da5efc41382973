"""Browsers that are not asked for a second factor again for a while."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.stories.auth.test_pages import act, send

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
SECOND = "/auth/sign-in/second-factor"
COOKIE = "tilth_development-trust"
Site = Any
SiteOf = Callable[..., Any]


@pytest.fixture
def careful(site_of: SiteOf) -> tuple[Site, str, list[str]]:
    """A site with trusted devices; bob's authenticator app and his recovery codes."""
    site = site_of(trusted_devices=timedelta(days=30))
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()
    secret, codes = site.totp(bob)
    return site, secret, codes


def trusting(site: Site, secret: str, **more: Any) -> Any:
    """A browser that has signed in by two factors and is not to be asked again."""
    browser = site.browser(**more)
    flow = browser.sign_in().json()["flow"]
    sent = {"flow": flow, "code": site.code(secret), "trust_device": True}
    assert browser.post(SECOND, sent).status_code == 200
    assert COOKIE in browser.client.cookies
    site.clock.pass_(seconds=30)
    return browser


def test_a_trusted_browser_is_not_asked_again_until_its_time_is_over(careful: Any) -> None:
    site, secret, _ = careful
    bob = trusting(site, secret)
    bob.post("/auth/sign-out")

    again = bob.sign_in()
    elsewhere = site.browser().sign_in()
    site.clock.pass_(days=31)
    late = bob.sign_in()

    assert (again.status_code, elsewhere.status_code, late.status_code) == (200, 202, 202)


def test_trust_is_one_factor_and_never_two(careful: Any) -> None:
    site, secret, _ = careful
    bob = trusting(site, secret)

    bob.sign_in()
    factor = bob.get("/auth/factors").json()["items"][0]["id"]

    assert bob.get("/auth/me").json()["assurance"] == 1
    assert bob.get("/vault").json()["code"] == "step_up_required"
    assert bob.ask("DELETE", f"/auth/factors/{factor}").status_code == 401
    assert bob.post("/auth/keys", {"name": "backup"}).status_code == 401


def test_trust_is_only_given_when_it_is_asked_for(careful: Any) -> None:
    site, secret, _ = careful
    browser = site.browser()
    flow = browser.sign_in().json()["flow"]

    browser.post(SECOND, {"flow": flow, "code": site.code(secret)})

    assert COOKIE not in browser.client.cookies
    assert browser.get("/auth/trusted-devices").json() == {"items": []}


def test_where_it_is_off_no_browser_is_trusted(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    secret, _ = site.totp(bob)
    flow = bob.sign_in().json()["flow"]

    sent = {"flow": flow, "code": site.code(secret), "trust_device": True}

    assert bob.post(SECOND, sent).status_code == 200
    assert COOKIE not in bob.client.cookies


def test_a_recovery_code_earns_no_trust(careful: Any) -> None:
    site, _, codes = careful
    browser = site.browser()
    flow = browser.sign_in().json()["flow"]

    signed = browser.post(SECOND, {"flow": flow, "code": codes[0], "trust_device": True})

    assert signed.status_code == 200
    assert COOKIE not in browser.client.cookies
    assert browser.get("/auth/trusted-devices").json() == {"items": []}


@pytest.mark.parametrize("how", ["forged", "of another", "twice"])
def test_a_token_that_is_not_the_accounts_is_worth_nothing(careful: Any, how: str) -> None:
    site, secret, _ = careful
    token = trusting(site, secret).client.cookies[COOKIE]
    fresh = site.browser()
    name = "bob"
    if how == "forged":
        header = f"{COOKIE}={token[:-1]}x"
    elif how == "twice":
        header = f"{COOKIE}={token}; {COOKIE}={token}"
    else:
        name, header = "eve", f"{COOKIE}={token}"
        site.account("eve")
        eve = site.browser()
        eve.sign_in("eve")
        site.totp(eve)

    sent = {"identifier": name, "password": PASSWORD}

    assert fresh.post("/auth/sign-in", sent, headers={"cookie": header}).status_code == 202


@pytest.mark.parametrize(
    "how", ["password", "reset", "factor added", "factor removed", "others", "one", "page"]
)
def test_41_trust_ends_with_what_it_rests_on(careful: Any, how: str) -> None:
    site, secret, _ = careful
    trusted, bob = trusting(site, secret), trusting(site, secret, agent="another")
    password = PASSWORD
    if how == "password":
        password = OTHER
        bob.post("/auth/password", {"current_password": PASSWORD, "new_password": OTHER})
    elif how == "reset":
        password = OTHER
        bob.post("/auth/forgot", {"identifier": "bob"})
        bob.post("/auth/reset", {"token": site.token("reset"), "password": OTHER})
    elif how == "factor added":
        site.totp(bob)
    elif how == "factor removed":
        factor = bob.get("/auth/factors").json()["items"][0]["id"]
        bob.ask("DELETE", f"/auth/factors/{factor}")
        site.totp(bob)
    elif how == "others":
        bob.post("/auth/sessions/revoke-others")
    else:
        shown = bob.get("/auth/trusted-devices").json()["items"]
        which = next(each["id"] for each in shown if each["agent"] == "test")
        if how == "one":
            assert bob.ask("DELETE", f"/auth/trusted-devices/{which}").status_code == 204
        else:
            assert act(bob, "forget_device", id=which).status_code == 303

    assert trusted.sign_in(password=password).status_code == 202


def test_48_nobody_sees_or_ends_the_trust_of_another(careful: Any) -> None:
    site, secret, _ = careful
    bob = trusting(site, secret)
    device = bob.get("/auth/trusted-devices").json()["items"][0]["id"]
    site.account("eve")
    eve = site.browser()
    eve.sign_in("eve")

    ended = eve.ask("DELETE", f"/auth/trusted-devices/{device}")

    assert eve.get("/auth/trusted-devices").json() == {"items": []}
    assert ended.status_code == 404
    assert bob.sign_in().status_code == 200


def test_90_the_token_is_shown_nowhere(careful: Any) -> None:
    site, secret, _ = careful
    bob = trusting(site, secret)
    token = bob.client.cookies[COOKIE]

    shown = [bob.get(path).text for path in ("/account", "/auth/export", "/auth/trusted-devices")]

    assert token not in "".join(shown)
    assert "trusted_devices" in shown[1]


def test_the_cookie_is_for_this_host_alone(site_of: SiteOf, https: Any) -> None:
    site = site_of(settings=https, trusted_devices=timedelta(days=30))
    site.account()
    bob = site.browser()
    bob.sign_in()
    secret, _ = site.totp(bob)
    flow = bob.sign_in().json()["flow"]

    sent = {"flow": flow, "code": site.code(secret), "trust_device": True}
    cookies = bob.post(SECOND, sent).headers.get_list("set-cookie")

    found = next(each for each in cookies if each.startswith("__Host-tilth-trust="))
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(found.split("; "))
    assert "Domain" not in found


def test_the_page_offers_trust_and_lists_it(careful: Any) -> None:
    site, secret, _ = careful
    fresh = site.browser(agent="Bob's laptop")
    second = send(fresh, "/sign-in", identifier="bob", password=PASSWORD, next="/account")
    carried = dict(re.findall(r'name="(flow|next|factors)" value="([^"]*)"', second.text))

    passed = send(fresh, "/mfa", code=site.code(secret), trust="yes", **carried)
    listed = fresh.get("/account")
    send(fresh, "/sign-out")
    again = send(fresh, "/sign-in", identifier="bob", password=PASSWORD, next="/account")

    assert "for 30 days" in second.text
    assert (passed.status_code, again.status_code) == (303, 303)
    assert "Browsers that are not asked for a code" in listed.text
