"""Accounts from their first day to their last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tilth.features.auth.service import administration

PASSWORD = "correct horse battery"
Site = Any


def test_an_account_signs_up_in_is_seen_and_signs_out(site: Site) -> None:
    bob = site.browser()

    made = bob.post("/auth/sign-up", {"username": "Bob", "password": PASSWORD})
    signed = bob.sign_in()
    me = bob.get("/auth/me").json()
    whoami = bob.get("/whoami")
    out = bob.post("/auth/sign-out")

    assert (made.status_code, made.json()["username"]) == (201, "Bob")
    assert (signed.status_code, signed.json()["status"]) == (200, "signed_in")
    assert (me["username"], me["method"], me["assurance"]) == ("Bob", "session", 1)
    assert whoami.json() == "Bob"
    assert (out.status_code, bob.get("/auth/me").status_code) == (204, 401)


@pytest.mark.parametrize("name", ["bob", "BOB", "bob@example.org", "+49 30 901820"])
def test_any_of_its_names_identifies_an_account(site: Site, name: str) -> None:
    site.account("Bob", email="bob@example.org", phone="+4930901820")

    assert site.browser().sign_in(name).status_code == 200


def test_an_account_with_an_address_begins_when_its_link_is_followed(site: Site) -> None:
    bob = site.browser()
    wish = {"username": "bob", "email": "bob@example.org", "password": PASSWORD}

    asked = bob.post("/auth/sign-up", wish)
    too_early = bob.sign_in()
    sent = {"token": site.token("sign_up"), "flow": asked.json()["flow"]}
    confirmed = bob.post("/auth/sign-up/confirm", sent)
    again = bob.post("/auth/sign-up/confirm", sent)

    assert (asked.status_code, asked.json()["status"]) == (202, "sent")
    assert too_early.status_code == 401
    assert (confirmed.status_code, confirmed.json()["email_verified"]) == (201, True)
    assert (again.status_code, again.json()["code"]) == (400, "stale_link")
    assert bob.sign_in("bob@example.org").status_code == 200


def test_a_password_is_changed_and_everything_else_signed_out(site: Site) -> None:
    site.account(email="bob@example.org")
    here, there = site.browser(), site.browser()
    here.sign_in()
    there.sign_in()
    tokens = there.tokens()
    new = "another horse battery"

    wrong = here.post("/auth/password", {"current_password": "x" * 20, "new_password": new})
    changed = here.post("/auth/password", {"current_password": PASSWORD, "new_password": new})

    assert (wrong.status_code, changed.status_code) == (401, 204)
    assert here.get("/auth/me").status_code == 200
    assert there.get("/auth/me").status_code == 401
    assert (
        there.post("/auth/token/refresh", {"refresh_token": tokens["refresh_token"]}).status_code
        == 401
    )
    assert site.browser().sign_in().status_code == 401
    assert site.browser().sign_in(password=new).status_code == 200
    assert site.delivered()[-1] == "password_changed"


def test_an_address_is_changed_when_the_new_one_is_confirmed_and_the_old_one_told(
    site: Site,
) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()

    asked = bob.post("/auth/email", {"email": "new@example.org", "current_password": PASSWORD})
    kinds = site.delivered()[-2:]
    addresses = [message.to for message in list(site.mail.messages)[-2:]]
    token = site.mail.messages[-2].text.partition("token=")[2].split()[0]
    before = bob.get("/auth/me").json()["email"]
    confirmed = bob.post("/auth/email/confirm", {"token": token})

    assert asked.status_code == 202
    assert (kinds, addresses) == (
        ["change_email", "email_changing"],
        ["new@example.org", "bob@example.org"],
    )
    assert (before, confirmed.status_code) == ("bob@example.org", 204)
    assert bob.get("/auth/me").json()["email"] == "new@example.org"


def test_an_account_is_exported_without_its_secrets_and_deleted(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    bob.post("/auth/keys", {"name": "backup"})

    exported = bob.get("/auth/export")
    refused = bob.post("/auth/delete-account", {"current_password": "x" * 20})
    deleted = bob.post("/auth/delete-account", {"current_password": PASSWORD})

    found = exported.json()
    assert (found["account"]["username"], len(found["sessions"]), len(found["api_keys"])) == (
        "bob",
        1,
        1,
    )
    assert not any(word in exported.text for word in ("digest", "hash", "argon2"))
    assert (refused.status_code, deleted.status_code) == (401, 204)
    assert (bob.get("/auth/me").status_code, site.browser().sign_in().status_code) == (401, 401)


def test_sessions_are_listed_and_ended_one_or_all_others(site: Site) -> None:
    site.account()
    here, there, elsewhere = site.browser(), site.browser(agent="phone"), site.browser()
    for each in (here, there, elsewhere):
        each.sign_in()

    listed = here.get("/auth/sessions").json()["items"]
    phone = next(each for each in listed if each["agent"] == "phone")
    ended = here.ask("DELETE", f"/auth/sessions/{phone['id']}")

    assert [each["is_current"] for each in listed].count(True) == 1
    assert (phone["address"], ended.status_code) == ("192.0.2.7", 204)
    assert (there.get("/auth/me").status_code, elsewhere.get("/auth/me").status_code) == (401, 200)
    assert here.post("/auth/sessions/revoke-others").status_code == 204
    assert (here.get("/auth/me").status_code, elsewhere.get("/auth/me").status_code) == (200, 401)


def test_a_session_ends_by_idleness_and_lives_on_when_it_is_used(site: Site) -> None:
    site.account()
    used, idle = site.browser(), site.browser()
    used.sign_in()
    idle.sign_in()

    for _ in range(4):
        site.clock.pass_(days=5)
        assert used.get("/auth/me").status_code == 200

    assert idle.get("/auth/me").status_code == 401
    site.clock.pass_(days=11)
    assert used.get("/auth/me").status_code == 401


def test_a_link_in_a_mail_signs_in_the_browser_that_asked(site: Site) -> None:
    site.account(email="bob@example.org")
    bob, other = site.browser(), site.browser()

    flow = bob.post("/auth/magic-link", {"identifier": "bob"}).json()["flow"]
    token = site.token("magic_link")
    elsewhere = other.post("/auth/magic-link/sign-in", {"flow": "x" * 43, "code": token})
    signed = bob.post("/auth/magic-link/sign-in", {"flow": flow, "code": token})
    again = bob.post("/auth/magic-link/sign-in", {"flow": flow, "code": token})

    assert (elsewhere.status_code, signed.status_code, again.status_code) == (401, 200, 401)
    assert bob.get("/auth/me").json()["username"] == "bob"


def test_the_code_of_that_mail_can_be_typed_instead(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()

    flow = bob.post("/auth/magic-link", {"identifier": "bob"}).json()["flow"]
    site.delivered()
    code = site.mail.messages[-1].text.partition("type this code there: ")[2].split()[0]
    typed = f" {code.lower().replace('-', ' ')} "

    assert bob.post("/auth/magic-link/sign-in", {"flow": flow, "code": typed}).status_code == 200


def test_policies_and_requirements_ask_the_account(site: Site) -> None:
    site.account("ann")
    bob_id = site.account("bob")
    ann, bob = site.browser(), site.browser()
    ann.sign_in("ann")
    bob.sign_in("bob")
    note = ann.post("/api/notes", {"text": "hers"}).json()

    before = bob.get("/api/notes").json()["items"], bob.get("/editors").status_code
    site.grant(bob_id, "editor")
    after = bob.get("/api/notes").json()["items"], bob.get("/editors").status_code

    assert (before, after) == (([], 403), ([note], 200))
    assert site.browser().get("/editors").status_code == 401


@pytest.mark.parametrize("kept", ["server", "cookie"])
def test_ending_all_others_ends_sessions_and_tokens_of_either_kind(
    site_of: Callable[..., Site], kept: str
) -> None:
    site = site_of(sessions=kept)
    site.account()
    here, there = site.browser(), site.browser()
    here.sign_in()
    there.sign_in()
    tokens = there.tokens()
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    before = site.browser().get("/auth/me", headers=bearer).status_code

    ended = here.post("/auth/sessions/revoke-others")

    refreshed = there.post("/auth/token/refresh", {"refresh_token": tokens["refresh_token"]})
    assert (before, ended.status_code) == (200, 204)
    assert (here.get("/auth/me").status_code, there.get("/auth/me").status_code) == (200, 401)
    assert site.browser().get("/auth/me", headers=bearer).status_code == 401
    assert refreshed.status_code == 401


def test_a_token_that_ends_all_others_gets_another(site: Site) -> None:
    site.account()
    bob, other = site.browser(), site.browser()
    tokens = bob.tokens()
    other.sign_in()
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}

    given = bob.post("/auth/sessions/revoke-others", headers=bearer)

    new = {"authorization": f"Bearer {given.json()['access_token']}"}
    assert (given.status_code, other.get("/auth/me").status_code) == (200, 401)
    assert bob.get("/auth/me", headers=bearer).status_code == 401
    assert bob.get("/auth/me", headers=new).status_code == 200


@pytest.mark.parametrize("act", ["disabled", "signed out"])
@pytest.mark.parametrize("kept", ["server", "cookie"])
def test_whoever_runs_the_application_can_end_everything(
    site_of: Callable[..., Site], kept: str, act: str
) -> None:
    site = site_of(sessions=kept)
    site.account()
    bob = site.browser()
    bob.sign_in()
    tokens = bob.tokens()
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    accounts = site.app.freeze().states["auth"]

    if act == "disabled":
        site.run(administration.set_disabled(accounts, "bob", is_disabled=True))
    else:
        site.run(administration.sessions(accounts, "bob", ends_all=True))

    assert bob.get("/auth/me").status_code == 401
    assert site.browser().get("/auth/me", headers=bearer).status_code == 401
    refreshed = bob.post("/auth/token/refresh", {"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401
