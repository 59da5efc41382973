"""The pages of accounts, as a browser without scripts uses them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
Site = Any
SiteOf = Callable[..., Any]
FROM_HERE = {"origin": "http://notes.test"}


def send(browser: Any, path: str, **fields: str) -> Any:
    """A form of a page of this site."""
    return browser.run(
        browser.client.post(path, data=fields, headers=FROM_HERE, follow_redirects=False)
    )


def signed_in(site: Site, name: str = "bob") -> Any:
    browser = site.browser()
    answer = send(browser, "/sign-in", identifier=name, password=PASSWORD, next="")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    return browser


def act(browser: Any, which: str, **fields: str) -> Any:
    return send(browser, "/account", act=which, **fields)


def test_an_account_begins_signs_in_and_out(site: Site) -> None:
    bob = site.browser()

    asked = send(bob, "/sign-up", username="bob", email="bob@example.org", password=PASSWORD)
    token = site.token("sign_up")
    shown = bob.get(f"/sign-up/confirm?token={token}")
    early = send(bob, "/sign-in", identifier="bob", password=PASSWORD)
    begun = send(bob, "/sign-up/confirm", token=token)
    again = send(bob, "/sign-up/confirm", token=token)
    bob = signed_in(site)
    account = bob.get("/account")
    out = send(bob, "/sign-out")

    assert "Open the link in the mail" in asked.text
    assert token in shown.text
    assert (early.status_code, begun.status_code, again.status_code) == (401, 200, 400)
    assert "bob@example.org" in account.text
    assert (out.status_code, bob.get("/account").status_code) == (303, 303)


def test_mistakes_are_told_beside_their_fields_and_nothing_is_typed_twice(site: Site) -> None:
    page = send(site.browser(), "/sign-up", username="a b", email="ann@example.org", password="x")

    assert page.status_code == 422
    assert 'value="ann@example.org"' in page.text
    assert "15 characters" in page.text or "username" in page.text
    assert 'aria-invalid="true"' in page.text
    assert 'value="x"' not in page.text


def test_a_forgotten_password_is_replaced(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()

    known = send(bob, "/reset", identifier="bob")
    unknown = send(bob, "/reset", identifier="nobody")
    token = site.token("reset")
    page = bob.get(f"/reset?token={token}")
    short = send(bob, "/reset", token=token, password="short")
    changed = send(bob, "/reset", token=token, password=OTHER)

    assert known.text == unknown.text
    assert token in page.text
    assert (short.status_code, token in short.text) == (422, True)
    assert changed.status_code == 200
    assert site.browser().sign_in(password=OTHER).status_code == 200


def test_a_mail_signs_in_the_browser_that_asked(site: Site) -> None:
    site.account(email="bob@example.org")
    bob, other = site.browser(), site.browser()

    send(bob, "/sign-in/link", identifier="bob")
    token = site.token("magic_link")
    elsewhere = send(other, "/sign-in/link", code=token)
    shown = bob.get(f"/sign-in/link?token={token}")
    signed = send(bob, "/sign-in/link", code=token)

    assert (elsewhere.status_code, signed.status_code) == (401, 303)
    assert token in shown.text
    assert bob.get("/account").status_code == 200


def test_a_second_factor_is_set_up_asked_for_and_removed(site: Site) -> None:
    site.account()
    bob = signed_in(site)

    offered = act(bob, "offer_factor").text
    secret = re.search(r'class="secret">([A-Z2-7]+)<', offered)
    assert "<svg" in offered
    assert "style=" not in offered
    id_ = re.search(r'name="id" value="([0-9a-f-]{36})">\s*<div class="field">', offered)
    assert secret, offered
    assert id_, offered
    wrong = act(bob, "confirm_factor", id=id_[1], code="000000")
    assert f'name="id" value="{id_[1]}"' in wrong.text
    codes = act(bob, "confirm_factor", id=id_[1], code=site.code(secret[1]))
    site.clock.pass_(seconds=30)
    fresh = site.browser()
    asked = send(fresh, "/sign-in", identifier="bob", password=PASSWORD)
    flow = re.search(r'name="flow" value="([^"]+)"', asked.text)
    assert flow, asked.text
    half = fresh.get("/account")
    denied = send(fresh, "/mfa", flow=flow[1], code="000000", next="/account")
    passed = send(fresh, "/mfa", flow=flow[1], code=site.code(secret[1]), next="/account")

    assert (wrong.status_code, codes.text.count("<li>")) == (422, 10)
    assert (half.status_code, denied.status_code, passed.status_code) == (303, 401, 303)
    factor = fresh.get("/auth/factors").json()["items"][0]["id"]
    assert act(fresh, "remove_factor", id=factor).status_code == 303
    assert fresh.get("/auth/factors").json()["items"] == []


def test_an_account_is_looked_after(site: Site) -> None:
    site.account(email="bob@example.org")
    bob, other = signed_in(site), signed_in(site)

    key = re.search(r'class="secret">([^<]+)<', act(bob, "make_key", name="backup").text)
    assert key
    usable = site.browser().get("/api/notes", headers={"x-api-key": key[1]}).status_code
    hidden = key[1] not in bob.get("/account").text
    ended = act(bob, "end_others")
    moved = act(bob, "email", email="new@example.org", current_password=PASSWORD)
    changed = act(bob, "password", current_password=PASSWORD, new_password=OTHER)
    wrong = act(bob, "delete", current_password=PASSWORD)
    unknown = act(bob, "become_root")
    gone = act(bob, "delete", current_password=OTHER)

    assert (usable, hidden) == (200, True)
    assert (ended.status_code, other.get("/account").status_code) == (303, 303)
    assert (moved.status_code, changed.status_code) == (200, 303)
    assert (wrong.status_code, unknown.status_code, gone.status_code) == (401, 404, 200)
    assert bob.get("/account").status_code == 303


def test_what_is_old_is_proved_again_first(site: Site) -> None:
    site.clock.pass_(minutes=-40)
    site.account()
    bob = signed_in(site)
    site.clock.pass_(minutes=40)

    asked = act(bob, "make_key", name="backup")
    proved = act(bob, "prove", password=PASSWORD)
    made = act(bob, "make_key", name="backup")

    assert (asked.status_code, "Prove it is you" in asked.text) == (401, True)
    assert "www-authenticate" not in asked.headers
    assert (proved.status_code, made.status_code) == (303, 200)


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("//evil.example", "\\\\evil.example", "/\\evil.example", "https:evil.example"),
        *("/%09/evil\t", "https://ok@evil.example", "javascript:alert(1)", "evil", "/\n/evil"),
    ],
)
def test_49_nobody_is_led_elsewhere(site: Site, elsewhere: str) -> None:
    site.account()

    answer = send(site.browser(), "/sign-in", identifier="bob", password=PASSWORD, next=elsewhere)

    assert answer.headers["location"] == "/account"


def test_49_a_page_of_this_site_is_gone_back_to(site: Site) -> None:
    site.account()
    body = {"identifier": "bob", "password": PASSWORD, "next": "/reports?year=2026"}

    assert send(site.browser(), "/sign-in", **body).headers["location"] == "/reports?year=2026"


@pytest.mark.parametrize(
    "path", ["/sign-in", "/sign-up", "/reset", "/mfa", "/sign-in/link", "/account", "/sign-out"]
)
def test_44_forms_of_other_sites_are_refused(site: Site, path: str) -> None:
    site.account()
    bob = signed_in(site)

    answer = bob.run(
        bob.client.post(
            path, data={"act": "end_others"}, headers={"origin": "https://evil.example"}
        )
    )

    assert answer.status_code == 403


def test_pages_have_no_script_and_pass_no_address_on(site: Site) -> None:
    for path in ("/sign-in", "/sign-up", "/reset?token=x", "/sign-up/confirm?token=x"):
        page = site.browser().get(path)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "script" not in page.headers["content-security-policy"]
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert "<script" not in page.text
        assert "style=" not in page.text


def test_what_is_typed_is_never_markup(site: Site) -> None:
    page = send(site.browser(), "/sign-in", identifier='"><b>x', password="x", next='/"><b>')

    assert "<b>" not in page.text


def test_pages_can_be_left_out(site_of: SiteOf) -> None:
    assert site_of(pages=False).browser().get("/sign-in").status_code == 404


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=1&a=2", "application/x-www-form-urlencoded", 400),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
        (b"a=%FF", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"x%d=1" % n for n in range(60)), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=x", 415),
    ],
    ids=["twice", "bytes", "no UTF-8", "many", "JSON", "multipart"],
)
def test_forms_that_are_none_are_refused(site: Site, body: bytes, kind: str, status: int) -> None:
    browser = site.browser()
    headers = {**FROM_HERE, "content-type": kind}

    answer = browser.run(browser.client.post("/sign-in", content=body, headers=headers))

    assert answer.status_code == status
