"""The pages of passkeys, as their script sends the forms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.stories.auth.authenticator import TRUTH, Authenticator, Said

from tilth.features.auth.models.tables import PASSKEYS, SESSIONS
from tilth.settings import Settings

PASSWORD = "correct horse battery"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
Site = Any
Browser = Any
SiteOf = Callable[..., Any]


@pytest.fixture
def site(site_of: SiteOf, https: Settings) -> Site:
    return site_of(settings=https, passkeys=True)


def send(browser: Browser, path: str, **fields: str) -> Any:
    """A form of a page of this site."""
    sent = {"origin": "https://notes.test"}
    return browser.run(browser.client.post(path, data=fields, headers=sent, follow_redirects=False))


def signed_in(site: Site) -> Browser:
    site.account()
    browser = site.browser()
    assert send(browser, "/sign-in", identifier="bob", password=PASSWORD).status_code == 303
    return browser


def add(browser: Browser, device: Authenticator) -> Any:
    asked = browser.post("/auth/passkeys/options").json()
    made = json.dumps(device.make(asked["publicKey"]))
    sent = {"flow": asked["flow"], "credential": made, "name": "Telephone"}
    return send(browser, "/account", act="add_passkey", **sent)


def used(browser: Browser, device: Authenticator, path: str, said: Said = TRUTH) -> dict[str, str]:
    asked = browser.post(path).json()
    return {"flow": asked["flow"], "credential": json.dumps(device.sign(asked["publicKey"], said))}


def id_of(site: Site) -> str:
    return str(site.sql(select(PASSKEYS.c.id))[0]["id"])


def test_one_is_added_named_and_removed(site: Site) -> None:
    bob = signed_in(site)

    codes = add(bob, Authenticator())
    named = send(bob, "/account", act="rename_passkey", id=id_of(site), name="<b>Key</b>")
    shown = bob.get("/account").text
    removed = send(bob, "/account", act="remove_passkey", id=id_of(site))

    assert len(re.findall(r"<li><code>", codes.text)) == 10
    assert (named.status_code, removed.status_code) == (303, 303)
    assert "&lt;b&gt;Key&lt;/b&gt;" in shown
    assert "&lt;b&gt;Key&lt;/b&gt;" not in bob.get("/account").text.partition("What happened")[0]


def test_what_is_wrong_with_one_is_told(site: Site) -> None:
    bob = signed_in(site)

    empty = send(bob, "/account", act="add_passkey", flow="", credential="", name="x")

    assert empty.status_code == 422
    assert "No passkey was made." in empty.text


def test_after_a_while_the_account_asks_for_proof_which_a_passkey_is(site: Site) -> None:
    bob, device = signed_in(site), Authenticator()
    add(bob, device)
    site.sql(update(SESSIONS).values(authenticated_at=LONG_AGO))

    early = send(bob, "/account", act="remove_passkey", id=id_of(site))
    answer = used(bob, device, "/auth/step-up/passkey/options")
    proved = send(bob, "/account", act="prove_passkey", **answer)
    removed = send(bob, "/account", act="remove_passkey", id=id_of(site))

    assert early.status_code == 401
    assert "Prove it by a passkey" in early.text
    assert (proved.status_code, removed.status_code) == (303, 303)


def test_one_signs_in_and_leads_to_a_page_of_this_site_only(site: Site) -> None:
    bob, device = signed_in(site), Authenticator()
    add(bob, device)
    path = "/auth/sign-in/passkey/options"
    one, two, three = site.browser(), site.browser(), site.browser()

    there = send(one, "/sign-in/passkey", next="/vault", **used(one, device, path))
    evil = send(two, "/sign-in/passkey", next="//evil.test", **used(two, device, path))
    wrong = send(three, "/sign-in/passkey", **used(three, device, path, Said(rp="evil.test")))

    assert (there.status_code, there.headers["location"]) == (303, "/vault")
    assert (evil.status_code, evil.headers["location"]) == (303, "/account")
    assert (wrong.status_code, one.get("/vault").status_code) == (401, 200)
    assert "The passkey was not accepted." in wrong.text
    assert three.get("/account").status_code == 303


def test_half_a_sign_in_is_completed_and_a_failure_can_be_mended(site: Site) -> None:
    bob, device = signed_in(site), Authenticator()
    add(bob, device)
    other = site.browser()

    waits = send(other, "/sign-in", identifier="bob", password=PASSWORD, next="/vault")
    found = re.search(r'name="flow" value="([\w-]+)"', waits.text)
    assert found
    flow = {"flow": found[1]}
    asked = other.post("/auth/sign-in/second-factor/passkey/options", flow).json()
    wrong = send(other, "/mfa/passkey", next="/vault", credential="?", **flow)
    right = json.dumps(device.sign(asked["publicKey"]))
    done = send(other, "/mfa/passkey", next="/vault", credential=right, **flow)

    assert "Use a passkey" in waits.text
    assert (wrong.status_code, "Use a passkey" in wrong.text) == (401, True)
    assert flow["flow"] in wrong.text
    assert (done.status_code, done.headers["location"]) == (303, "/vault")


def test_42_forms_of_other_sites_sign_nobody_in(site: Site) -> None:
    bob, device = signed_in(site), Authenticator()
    add(bob, device)
    other = site.browser()
    sent = used(other, device, "/auth/sign-in/passkey/options")

    answer = other.run(
        other.client.post("/sign-in/passkey", data=sent, headers={"origin": "https://evil.test"})
    )

    assert answer.status_code == 403


def test_scripts_are_let_in_only_where_one_is_needed(site: Site, site_of: SiteOf) -> None:
    browser = site.browser()
    page, other = browser.get("/sign-in"), browser.get("/sign-up")
    found = re.search(r'<script src="([^"]+)" defer></script>', page.text)
    assert found
    script = browser.get(found[1])

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'; connect-src 'self'" in policy
    assert "script-src" not in other.headers["content-security-policy"]
    assert "<script" not in other.text
    assert (script.status_code, script.headers["content-type"]) == (
        200,
        "text/javascript; charset=utf-8",
    )
    assert "immutable" in script.headers["cache-control"]


def test_without_the_option_pages_have_no_script(site_of: SiteOf) -> None:
    browser = site_of().browser()

    page = browser.get("/sign-in")

    assert "<script" not in page.text
    assert "passkey" not in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert browser.get("/account/static/passkeys.js").status_code == 404
