"""What passkeys are for, who may add and remove them, and what stays of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, select, update
from tests.stories.auth.authenticator import (
    CAN_BE_COPIED,
    COPIED,
    PRESENT,
    VERIFIED,
    Authenticator,
    Said,
    data,
)
from tests.stories.auth.enrolling import enrol, happened, has_passkey, use

from tilth.features.auth.models.tables import (
    PASSKEYS,
    PASSWORDS,
    SECRETS,
    SESSIONS,
    USERS,
)
from tilth.settings import Settings

PASSWORD = "correct horse battery"
Site = Any
SiteOf = Callable[..., Any]


@pytest.fixture
def site(site_of: SiteOf, https: Settings) -> Site:
    return site_of(settings=https, passkeys=True)


# What passkeys are for


def test_a_passkey_signs_in_alone_and_proves_two_factors(site: Site) -> None:
    _bob, device = has_passkey(site)
    other = site.browser()

    signed = use(other, device)
    me = other.get("/auth/me").json()
    (current,) = [s for s in other.get("/auth/sessions").json()["items"] if s["is_current"]]

    assert signed.status_code == 200, signed.text
    assert (me["username"], me["assurance"], me["has_second_factor"]) == ("bob", 2, True)
    assert other.get("/vault").status_code == 200
    assert (current["assurance"], current["methods"]) == (2, ["pop"])


def test_adding_one_gives_recovery_codes_once_and_ends_everything_else(site: Site) -> None:
    site.account()
    bob, elsewhere, device = site.browser(), site.browser(), Authenticator()
    bob.sign_in()
    elsewhere.sign_in()

    first = enrol(bob, device)
    second = enrol(bob, Authenticator())

    assert len(first.json()["recovery_codes"]) == 10
    assert second.json()["recovery_codes"] == []
    assert elsewhere.get("/auth/me").status_code == 401
    assert (bob.get("/auth/me").status_code, bob.get("/vault").status_code) == (200, 200)


def test_a_password_then_asks_for_the_passkey(site: Site) -> None:
    _, device = has_passkey(site)
    bob = site.browser()

    waits = bob.sign_in()
    flow = {"flow": waits.json()["flow"]}
    early = bob.get("/auth/me")
    asked = bob.post("/auth/sign-in/second-factor/passkey/options", flow).json()
    signed = bob.post(
        "/auth/sign-in/second-factor/passkey",
        {**flow, "credential": device.sign(asked["publicKey"])},
    )

    assert (waits.status_code, waits.json()["factors"]) == (202, ["passkey", "recovery_code"])
    assert early.status_code == 401
    assert [each["id"] for each in asked["publicKey"]["allowCredentials"]] == [
        device.sign(asked["publicKey"])["id"]
    ]
    assert signed.status_code == 200, signed.text
    assert bob.get("/auth/me").json()["assurance"] == 2


def test_a_recovery_code_stands_in_for_a_lost_passkey(site: Site) -> None:
    site.account()
    bob, other = site.browser(), site.browser()
    bob.sign_in()
    codes = enrol(bob, Authenticator()).json()["recovery_codes"]

    flow = other.sign_in().json()["flow"]
    signed = other.post("/auth/sign-in/second-factor", {"flow": flow, "code": codes[0]})

    assert signed.status_code == 200


def test_what_was_tried_with_a_passkey_leaves_the_attempts_of_codes(site: Site) -> None:
    site.account()
    bob, other, device = site.browser(), site.browser(), Authenticator()
    bob.sign_in()
    codes = enrol(bob, device).json()["recovery_codes"]
    flow = {"flow": other.sign_in().json()["flow"]}

    for _ in range(6):
        asked = other.post("/auth/sign-in/second-factor/passkey/options", flow).json()
        wrong = device.sign(asked["publicKey"], Said(rp="evil.test"))
        other.post("/auth/sign-in/second-factor/passkey", {**flow, "credential": wrong})
    signed = other.post("/auth/sign-in/second-factor", {**flow, "code": codes[0]})
    again = other.post("/auth/sign-in/second-factor/passkey/options", flow)

    assert signed.status_code == 200
    assert again.status_code == 401


def test_a_session_is_stepped_up_by_a_passkey(site: Site) -> None:
    bob, device = has_passkey(site)
    stale = {"authenticated_at": datetime(2020, 1, 1, tzinfo=UTC)}
    site.sql(update(SESSIONS).values(stale))
    early = bob.get("/vault")
    before = dict(bob.client.cookies)

    asked = bob.post("/auth/step-up/passkey/options").json()
    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}
    stepped = bob.post("/auth/step-up/passkey", answer)

    assert (early.status_code, stepped.status_code) == (401, 204)
    assert dict(bob.client.cookies) != before
    assert bob.get("/vault").status_code == 200


def test_a_program_gets_tokens_by_a_passkey(site: Site) -> None:
    _, device = has_passkey(site)
    program = site.browser()

    alone = use(program, device, path="/auth/token/passkey").json()
    waits = program.post("/auth/token", {"identifier": "bob", "password": PASSWORD}).json()
    flow = {"flow": waits["flow"]}
    asked = program.post("/auth/sign-in/second-factor/passkey/options", flow).json()
    second = program.post(
        "/auth/token/second-factor/passkey",
        {**flow, "credential": device.sign(asked["publicKey"])},
    ).json()

    for each in (alone, second):
        sent = {"authorization": f"Bearer {each['access_token']}"}
        assert site.browser().get("/vault", headers=sent).status_code == 200


@pytest.mark.parametrize("sessions", ["server", "cookie"])
def test_passkeys_are_listed_named_and_removed(
    site_of: SiteOf, https: Settings, sessions: str
) -> None:
    site = site_of(settings=https, passkeys=True, sessions=sessions)
    bob, device = has_passkey(site)
    (shown,) = bob.get("/auth/passkeys").json()["items"]

    named = bob.ask("PATCH", f"/auth/passkeys/{shown['id']}", {"name": "Telephone"})
    (renamed,) = bob.get("/auth/passkeys").json()["items"]
    removed = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert (shown["name"], shown["is_backed_up"], shown["last_used_at"]) == ("Key", False, None)
    assert (named.status_code, renamed["name"]) == (204, "Telephone")
    assert removed.status_code == 204
    assert bob.get("/auth/passkeys").json() == {"items": []}
    assert bob.get("/auth/me").json()["assurance"] == 1
    assert use(site.browser(), device).status_code == 401
    assert site.browser().sign_in().status_code == 200


def test_adding_and_removing_are_told_and_remembered(site: Site) -> None:
    bob, _ = has_passkey(site, email="bob@example.org")
    (shown,) = bob.get("/auth/passkeys").json()["items"]

    bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert site.delivered()[-2:] == ["factor_added", "factor_removed"]
    assert "The passkey Key" in site.mail.messages[-1].text
    assert {"factor.added", "factor.removed"} <= set(happened(site))


def test_a_passkey_that_does_not_count_is_used_again_and_again(site: Site) -> None:
    site.account()
    bob, device = site.browser(), Authenticator(is_counting=False)
    bob.sign_in()
    enrol(bob, device, Said(flags=PRESENT | VERIFIED | CAN_BE_COPIED))

    copied = Said(flags=PRESENT | VERIFIED | CAN_BE_COPIED | COPIED)
    answers = [use(site.browser(), device, copied).status_code for _ in range(3)]

    assert answers == [200, 200, 200]


def test_each_passkey_counts_for_itself(site: Site) -> None:
    bob, one = has_passkey(site)
    two = Authenticator()
    enrol(bob, two, name="Other")
    items = bob.get("/auth/passkeys").json()["items"]

    named = bob.ask("PATCH", f"/auth/passkeys/{items[0]['id']}", {"name": "First"})
    answers = [use(site.browser(), one, Said(count=50)), use(site.browser(), two, Said(count=9))]

    assert [each.status_code for each in (named, *answers)] == [204, 200, 200]
    assert [each["name"] for each in bob.get("/auth/passkeys").json()["items"]] == [
        "First",
        "Other",
    ]


def test_basic_does_not_go_around_a_passkey(site: Site) -> None:
    has_passkey(site)

    answer = site.browser().get("/auth/me", auth=("bob", PASSWORD))

    assert answer.status_code == 401


def test_what_is_asked_of_a_browser(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    made = bob.post("/auth/passkeys/options").json()["publicKey"]
    used = site.browser().post("/auth/sign-in/passkey/options").json()["publicKey"]

    assert made["rp"] == {"name": "Notes", "id": "notes.test"}
    assert made["attestation"] == "none"
    assert (
        made["authenticatorSelection"]
        | {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        }
        == made["authenticatorSelection"]
    )
    assert [each["alg"] for each in made["pubKeyCredParams"]] == [-7, -8, -257]
    assert len(data(made["user"]["id"])) == 32
    assert used.keys() == {"challenge", "timeout", "rpId", "userVerification"}
    assert (used["rpId"], used["userVerification"]) == ("notes.test", "required")
    assert len(data(used["challenge"])) == 32


def test_without_the_option_there_are_no_addresses(site_of: SiteOf, https: Settings) -> None:
    site = site_of(settings=https)

    assert site.browser().post("/auth/sign-in/passkey/options").status_code == 404
    assert not [p for p in site.browser().get("/openapi.json").json()["paths"] if "passkey" in p]


# Who may add and remove them


@pytest.mark.parametrize("path", ["/auth/passkeys/options", "/auth/passkeys"])
def test_87_nobody_adds_a_passkey_to_a_session_that_is_not_fresh(site: Site, path: str) -> None:
    site.account()
    bob, device = site.browser(), Authenticator()
    bob.sign_in()
    asked = bob.post("/auth/passkeys/options").json()
    site.sql(update(SESSIONS).values(authenticated_at=datetime(2020, 1, 1, tzinfo=UTC)))

    body = {"flow": asked["flow"], "credential": device.make(asked["publicKey"])}
    answer = bob.post(path, body if path == "/auth/passkeys" else None)

    assert (answer.status_code, answer.json()["code"]) == (401, "step_up_required")
    assert site.sql(select(PASSKEYS.c.id)) == []


def test_87_nor_removes_one(site: Site) -> None:
    bob, device = has_passkey(site)
    (shown,) = bob.get("/auth/passkeys").json()["items"]
    site.sql(update(SESSIONS).values(authenticated_at=datetime(2020, 1, 1, tzinfo=UTC)))

    answer = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert answer.json()["code"] == "step_up_required"
    assert use(site.browser(), device).status_code == 200


def test_there_are_at_most_twenty_five(site: Site) -> None:
    bob, device = has_passkey(site)
    asked = bob.post("/auth/passkeys/options").json()
    made = {"flow": asked["flow"], "credential": device.make(asked["publicKey"])}
    (row,) = site.sql(select(PASSKEYS))
    for n in range(24):
        site.sql(insert(PASSKEYS).values({**row, "id": UUID(int=n), "credential_id": bytes([n])}))

    late = bob.post("/auth/passkeys", made)
    early = bob.post("/auth/passkeys/options")

    assert (late.status_code, late.json()["code"]) == (409, "too_many_passkeys")
    assert (early.status_code, early.json()["code"]) == (409, "too_many_passkeys")


def test_the_only_way_in_stays(site: Site) -> None:
    bob, _device = has_passkey(site)
    site.sql(PASSWORDS.delete())
    (shown,) = bob.get("/auth/passkeys").json()["items"]

    last = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")
    enrol(bob, Authenticator(), name="Other")
    then = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert (last.status_code, last.json()["code"]) == (409, "last_way_in")
    assert then.status_code == 204


@pytest.mark.parametrize("is_verified", [True, False])
def test_a_confirmed_address_is_another_way_in(site: Site, is_verified: bool) -> None:
    bob, _ = has_passkey(site, email="bob@example.org")
    site.sql(PASSWORDS.delete())
    if not is_verified:
        site.sql(update(USERS).values(email_verified_at=None))
    (shown,) = bob.get("/auth/passkeys").json()["items"]

    answer = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert answer.status_code == (204 if is_verified else 409)


def test_removing_one_keeps_recovery_codes_while_there_is_another_factor(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    _, codes = site.totp(bob)
    enrol(bob, Authenticator())
    (shown,) = bob.get("/auth/passkeys").json()["items"]

    bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")
    flow = site.browser().sign_in().json()["flow"]
    signed = site.browser().post("/auth/sign-in/second-factor", {"flow": flow, "code": codes[0]})

    assert bob.get("/auth/me").json()["assurance"] == 2
    assert signed.status_code == 200


def test_with_the_last_factor_recovery_codes_go(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    enrol(bob, Authenticator())
    (shown,) = bob.get("/auth/passkeys").json()["items"]

    bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert site.sql(select(SECRETS.c.id).where(SECRETS.c.kind == "recovery")) == []


def test_33_passkeys_of_others_are_not_there(site: Site) -> None:
    bob, device = has_passkey(site)
    (shown,) = bob.get("/auth/passkeys").json()["items"]
    site.account("eve")
    eve = site.browser()
    eve.sign_in("eve")

    named = eve.ask("PATCH", f"/auth/passkeys/{shown['id']}", {"name": "Mine"})
    removed = eve.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert (named.status_code, removed.status_code) == (404, 404)
    assert eve.get("/auth/passkeys").json() == {"items": []}
    assert use(site.browser(), device).status_code == 200


def test_30_whoever_made_the_account_before_its_address_was_proved_is_locked_out(
    site_of: SiteOf, https: Settings
) -> None:
    site = site_of(settings=https, passkeys=True, verify_email=False)
    _stranger, device = has_passkey(site, email="bob@example.org")
    assert use(site.browser(), device).status_code == 200
    owner = site.browser()
    owner.post("/auth/forgot", {"identifier": "bob@example.org"})
    owner.post("/auth/reset", {"token": site.token("reset"), "password": "another horse battery"})

    assert use(site.browser(), device).status_code == 401
    assert site.browser().sign_in().status_code == 401
