"""What is somebody else's: keys and factors, by their ids."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

Site = Any
Pair = tuple[Any, Any]


@pytest.fixture
def pair(site: Site) -> Pair:
    """Browsers of ann and bob, both signed in by a password and an authenticator app."""
    browsers = []
    for name in ("ann", "bob"):
        site.account(name)
        browser = site.browser()
        browser.sign_in(name)
        site.totp(browser)
        browsers.append(browser)
    ann, bob = browsers
    return ann, bob


def made(browser: Any, name: str = "x") -> dict[str, str]:
    answer: dict[str, str] = browser.post("/auth/keys", {"name": name}).json()
    return answer


def opens(site: Site, key: dict[str, str]) -> bool:
    headers = {"x-api-key": key["key"]}
    is_open: bool = site.browser().get("/whoami", headers=headers).status_code == 200
    return is_open


def test_48_keys_of_others_are_not_there(site: Site, pair: Pair) -> None:
    ann, bob = pair
    hers, his = made(ann), made(bob)

    rotated = bob.post(f"/auth/keys/{hers['id']}/rotate", {"overlap_seconds": 0})
    revoked = bob.ask("DELETE", f"/auth/keys/{hers['id']}")

    assert (rotated.status_code, revoked.status_code) == (404, 404)
    assert [each["id"] for each in bob.get("/auth/keys").json()["items"]] == [his["id"]]
    assert (opens(site, hers), opens(site, his)) == (True, True)


def test_48_one_key_is_rotated_and_revoked_and_no_other(site: Site, pair: Pair) -> None:
    _, bob = pair
    first, second, third = (made(bob, name) for name in ("first", "second", "third"))

    renewed = bob.post(f"/auth/keys/{first['id']}/rotate", {"overlap_seconds": 60}).json()
    gone = bob.ask("DELETE", f"/auth/keys/{second['id']}")
    during = [opens(site, each) for each in (first, second, third, renewed)]
    site.clock.pass_(seconds=61)

    assert gone.status_code == 204
    assert during == [True, False, True, True]
    assert [opens(site, each) for each in (first, third, renewed)] == [False, True, True]


def test_48_factors_of_others_are_not_there(site: Site, pair: Pair) -> None:
    ann, bob = pair
    [hers] = ann.get("/auth/factors").json()["items"]

    removed = bob.ask("DELETE", f"/auth/factors/{hers['id']}")
    offered = ann.post("/auth/factors/totp", {}).json()
    code = site.code(offered["secret"])
    confirmed = bob.post("/auth/factors/totp/confirm", {"id": offered["id"], "code": code})

    assert (removed.status_code, confirmed.status_code) == (404, 422)
    assert [each["id"] for each in ann.get("/auth/factors").json()["items"]] == [hers["id"]]
    assert bob.ask("DELETE", f"/auth/factors/{uuid4()}").status_code == 404


def test_87_one_factor_of_two_is_removed(site: Site, pair: Pair) -> None:
    ann, _ = pair
    site.totp(ann)
    first, second = ann.get("/auth/factors").json()["items"]

    removed = ann.ask("DELETE", f"/auth/factors/{first['id']}")

    assert removed.status_code == 204, removed.text
    again = site.browser().sign_in("ann")
    assert again.status_code == 202
    assert second["id"] != first["id"]


def test_98_nobody_acts_as_somebody_else_without_the_permission(site: Site) -> None:
    ann = site.account("ann")
    site.account()
    bob = site.browser()
    bob.sign_in()

    refused = bob.post("/auth/impersonate", {"user_id": ann, "reason": "ticket 7"})

    assert refused.status_code == 403
    assert bob.get("/auth/me").json()["username"] == "bob"


def test_links_of_others_wait_on_when_somebody_asks_for_one(site: Site) -> None:
    """A new link takes the place of those before it, of the same account."""
    for name in ("ann", "bob"):
        site.account(name, email=f"{name}@example.org")
    ann, bob = site.browser(), site.browser()

    flow = bob.post("/auth/magic-link", {"identifier": "bob"}).json()["flow"]
    his = site.token("magic_link")
    ann.post("/auth/magic-link", {"identifier": "ann"})

    assert bob.post("/auth/magic-link/sign-in", {"flow": flow, "code": his}).status_code == 200


def test_only_recovery_codes_of_ones_own_are_counted(site: Site) -> None:
    codes = {}
    for name in ("ann", "bob"):
        site.account(name, email=f"{name}@example.org")
        browser = site.browser()
        browser.sign_in(name)
        codes[name] = site.totp(browser)[1]

    fresh = site.browser()
    proof = {"flow": fresh.sign_in("bob").json()["flow"], "code": codes["bob"][0]}
    used = fresh.post("/auth/sign-in/second-factor", proof)
    site.delivered()

    assert len(codes["ann"]) == len(codes["bob"]) == 10
    assert used.status_code == 200, used.text
    assert " 9 are left" in site.mail.messages[-1].text
