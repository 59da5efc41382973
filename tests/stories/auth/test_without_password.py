"""Accounts that have no password: what they do with a fresh proof instead, and not without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from tests.stories.auth.authenticator import Authenticator
from tests.stories.auth.enrolling import enrol, happened
from tests.stories.auth.test_mail_codes import grow_old, last_code
from tests.stories.auth.test_pages import act, send

from tilth.features.auth.models.tables import PASSWORDS, SESSIONS, USERS
from tilth.settings import Settings

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
ADDRESS = "bob@example.org"
NEW = "new@example.org"
Site = Any
SiteOf = Callable[..., Any]
Browser = Any

ACTS = [
    ("/auth/delete-account", {}),
    ("/auth/email", {"email": NEW}),
    ("/auth/password", {"new_password": OTHER}),
]


@pytest.fixture
def site(site_of: SiteOf) -> Site:
    """Bob's password ended when his address was proved by a mail, which is how he signs in."""
    site = site_of(verify_email=False, mail_codes=True)
    site.account(email=ADDRESS)
    return site


@pytest.fixture
def keyed(site_of: SiteOf, https: Settings) -> Site:
    """The same where passkeys are made, which takes https."""
    site = site_of(settings=https, verify_email=False, passkeys=True)
    site.account(email=ADDRESS)
    return site


def by_mail(site: Site) -> Browser:
    browser = site.browser()
    flow = browser.post("/auth/magic-link", {"identifier": "bob"}).json()["flow"]
    sent = {"flow": flow, "code": site.token("magic_link")}
    assert browser.post("/auth/magic-link/sign-in", sent).status_code == 200
    return browser


def exists(site: Site) -> bool:
    return bool(site.sql(select(USERS.c.id)))


def step_up_by_passkey(browser: Browser, device: Authenticator) -> Any:
    asked = browser.post("/auth/step-up/passkey/options").json()
    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}
    return browser.post("/auth/step-up/passkey", answer)


def test_who_has_just_signed_in_by_a_mail_deletes_the_account(site: Site) -> None:
    bob = by_mail(site)
    has_password = bob.get("/auth/me").json()["has_password"]

    gone = bob.post("/auth/delete-account")

    assert (has_password, gone.status_code, exists(site)) == (False, 204, False)
    assert bob.get("/auth/me").status_code == 401
    assert happened(site)[-1] == "account.deleted"
    assert "deleted" in site.delivered()


def test_who_has_just_signed_in_by_a_mail_changes_the_address(site: Site) -> None:
    bob = by_mail(site)

    asked = bob.post("/auth/email", {"email": NEW})
    site.delivered()
    mail = next(m for m in site.mail.messages if m.kind == "change_email")
    token = mail.text.partition("token=")[2].split()[0]
    confirmed = bob.post("/auth/email/confirm", {"token": token})

    assert (asked.status_code, mail.to, confirmed.status_code) == (202, NEW, 204)
    assert "email_changing" in site.delivered(), "the old address is told"
    assert bob.get("/auth/me").json()["email"] == NEW


def test_a_first_password_is_set_and_is_no_fresher_proof(site: Site) -> None:
    bob, elsewhere = by_mail(site), by_mail(site)
    [before] = {row["authenticated_at"] for row in site.sql(select(SESSIONS.c.authenticated_at))}
    site.clock.pass_(minutes=10)

    short = bob.post("/auth/password", {"new_password": "short"})
    given = bob.post("/auth/password", {"new_password": OTHER})
    [after] = site.sql(select(SESSIONS.c.authenticated_at))

    assert (short.status_code, given.status_code) == (422, 204)
    assert after["authenticated_at"] == before
    assert elsewhere.get("/auth/me").status_code == 401
    assert bob.get("/auth/me").json()["has_password"]
    assert site.browser().sign_in(password=OTHER).status_code == 200


@pytest.mark.parametrize(("path", "body"), ACTS)
def test_87_a_screen_that_was_left_open_does_none_of_it(
    site: Site, path: str, body: dict[str, str]
) -> None:
    bob = by_mail(site)
    grow_old(site)

    refused = bob.post(path, body)

    assert (refused.status_code, refused.json()["code"]) == (401, "step_up_required")
    assert 'acr_values="1", max_age="900"' in refused.headers["www-authenticate"]
    assert exists(site)
    assert site.sql(select(PASSWORDS)) == []
    assert "change_email" not in site.delivered()


@pytest.mark.parametrize(("path", "body"), ACTS)
def test_87_one_factor_is_not_enough_where_there_are_two(
    keyed: Site, path: str, body: dict[str, str]
) -> None:
    bob = by_mail(keyed)
    assert enrol(bob, Authenticator()).status_code == 201
    keyed.sql(SESSIONS.update().values(assurance=1))

    refused = bob.post(path, body)

    assert (refused.status_code, refused.json()["code"]) == (401, "step_up_required")
    assert exists(keyed)


@pytest.mark.parametrize(("path", "body"), ACTS)
def test_a_password_that_there_is_cannot_be_left_out(
    site: Site, path: str, body: dict[str, str]
) -> None:
    site.account("ann")
    ann = site.browser()
    ann.sign_in("ann")

    refused = ann.post(path, body)

    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == ["/current_password"]
    assert ann.get("/auth/me").json()["has_password"]


@pytest.mark.parametrize(("path", "body"), ACTS)
def test_no_password_is_right_for_who_has_none(site: Site, path: str, body: dict[str, str]) -> None:
    bob = by_mail(site)

    refused = bob.post(path, {**body, "current_password": PASSWORD})

    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_credentials")
    assert exists(site)


def test_a_passkey_confirms_after_a_while(keyed: Site) -> None:
    bob, device = by_mail(keyed), Authenticator()
    assert enrol(bob, device).status_code == 201
    grow_old(keyed)

    early = bob.post("/auth/delete-account")
    proved = step_up_by_passkey(bob, device)
    gone = bob.post("/auth/delete-account")

    assert (early.status_code, proved.status_code, gone.status_code) == (401, 204, 204)
    assert not exists(keyed)


def test_a_code_by_mail_confirms_after_a_while(site: Site) -> None:
    bob = by_mail(site)
    offered = bob.post("/auth/factors/mail").json()
    bob.post("/auth/factors/mail/confirm", {"id": offered["id"], "code": last_code(site)})
    grow_old(site)

    early = bob.post("/auth/email", {"email": NEW})
    bob.post("/auth/step-up/mail")
    proved = bob.post("/auth/step-up", {"code": last_code(site)})
    asked = bob.post("/auth/email", {"email": NEW})

    assert (early.status_code, proved.status_code, asked.status_code) == (401, 204, 202)


def test_a_key_manages_no_account_without_password(site: Site) -> None:
    bob = by_mail(site)
    key = bob.post("/auth/keys", {"name": "x"}).json()["key"]

    refused = site.browser().post("/auth/delete-account", headers={"x-api-key": key})

    assert (refused.status_code, exists(site)) == (403, True)


def test_pages_ask_for_no_password_where_there_is_none(site: Site) -> None:
    bob = by_mail(site)

    shown = bob.get("/account").text
    moved = act(bob, "email", email=NEW)
    given = act(bob, "password", new_password=OTHER)
    after = bob.get("/account").text
    left_out = act(bob, "delete")
    gone = act(bob, "delete", current_password=OTHER)

    assert 'name="current_password"' not in shown
    assert ("Look into your mail" in moved.text, given.status_code) == (True, 303)
    assert after.count('name="current_password"') == 3
    assert (left_out.status_code, gone.status_code, exists(site)) == (422, 200, False)


def test_pages_send_a_mail_to_who_has_nothing_else_to_prove(site: Site) -> None:
    bob = by_mail(site)
    grow_old(site)

    refused = act(bob, "delete")
    sent = send(bob, "/sign-in/link", identifier="bob")
    signed = send(bob, "/sign-in/link", code=site.token("magic_link"))
    gone = act(bob, "delete")

    assert refused.status_code == 401
    assert "Sign in once more by a mail" in refused.text
    assert 'name="identifier" value="bob"' in refused.text
    assert 'name="password"' not in refused.text
    assert (sent.status_code, signed.status_code) == (200, 303)
    assert ("Good-bye" in gone.text, exists(site)) == (True, False)
