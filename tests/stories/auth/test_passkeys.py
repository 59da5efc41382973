"""Passkeys over HTTP, made and used by an authenticator in software."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from tests.stories.auth.authenticator import (
    CAN_BE_COPIED,
    COPIED,
    PRESENT,
    TRUTH,
    VERIFIED,
    Authenticator,
    Said,
    data,
)

from tilth.features.auth.models.tables import AUDIT, PASSKEYS, PASSWORDS, USERS
from tilth.features.auth.settings import Limits
from tilth.settings import Settings

PASSWORD = "correct horse battery"
AT_ONCE = 50
Site = Any
Browser = Any
SiteOf = Callable[..., Any]


@pytest.fixture
def site(site_of: SiteOf, https: Settings) -> Site:
    return site_of(settings=https, passkeys=True)


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


def test_a_session_is_stepped_up_by_a_passkey(site: Site) -> None:
    bob, device = has_passkey(site)
    stale = {"authenticated_at": datetime(2020, 1, 1, tzinfo=UTC)}
    from tilth.features.auth.models.tables import SESSIONS

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
    from tilth.features.auth.models.tables import SESSIONS

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
    from tilth.features.auth.models.tables import SESSIONS

    bob, device = has_passkey(site)
    (shown,) = bob.get("/auth/passkeys").json()["items"]
    site.sql(update(SESSIONS).values(authenticated_at=datetime(2020, 1, 1, tzinfo=UTC)))

    answer = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert answer.json()["code"] == "step_up_required"
    assert use(site.browser(), device).status_code == 200


def without_password(site: Site, name: str = "bob") -> None:
    site.sql(PASSWORDS.delete())


def test_the_only_way_in_stays(site: Site) -> None:
    bob, _device = has_passkey(site)
    without_password(site)
    (shown,) = bob.get("/auth/passkeys").json()["items"]

    last = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")
    enrol(bob, Authenticator(), name="Other")
    then = bob.ask("DELETE", f"/auth/passkeys/{shown['id']}")

    assert (last.status_code, last.json()["code"]) == (409, "last_way_in")
    assert then.status_code == 204


@pytest.mark.parametrize("is_verified", [True, False])
def test_a_confirmed_address_is_another_way_in(site: Site, is_verified: bool) -> None:
    bob, _ = has_passkey(site, email="bob@example.org")
    without_password(site)
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

    from tilth.features.auth.models.tables import SECRETS

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


# What attackers try

FORGERIES = {
    "another origin": Said(origin="https://evil.test"),
    "a subdomain": Said(origin="https://www.notes.test"),
    "another port": Said(origin="https://notes.test:8443"),
    "no TLS": Said(origin="http://notes.test"),
    "origin null": Said(origin="null"),
    "another relying party": Said(rp="evil.test"),
    "the origin as relying party": Said(rp="https://notes.test"),
    "no user verification": Said(flags=PRESENT),
    "no user presence": Said(flags=VERIFIED),
    "a challenge of its own": Said(challenge=b"0" * 32),
    "framed by another site": Said(more={"crossOrigin": True}),
    "below another site": Said(more={"topOrigin": "https://evil.test"}),
    "copied and not to be copied": Said(flags=PRESENT | VERIFIED | COPIED),
}


@pytest.mark.parametrize("said", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_assertion_signs_nobody_in(site: Site, said: Said) -> None:
    _, device = has_passkey(site)

    forged = use(site.browser(), device, said)
    good = use(site.browser(), device)

    assert (forged.status_code, good.status_code) == (401, 200)
    assert forged.json()["code"] == "invalid_passkey"
    assert "passkey.failed" in happened(site)


@pytest.mark.parametrize("said", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_attestation_adds_nothing(site: Site, said: Said) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    forged = enrol(bob, Authenticator(), said)

    assert forged.status_code == 422
    assert site.sql(select(PASSKEYS.c.id)) == []
    assert enrol(bob, Authenticator()).status_code == 201


MORE_FORGERIES = {
    "made instead of used": Said(type="webauthn.create"),
    "of another user": Said(handle=b"1" * 32),
    "of no user": Said(handle=None),
    "now to be copied": Said(flags=PRESENT | VERIFIED | CAN_BE_COPIED),
}


@pytest.mark.parametrize("said", MORE_FORGERIES.values(), ids=MORE_FORGERIES)
def test_an_assertion_of_another_kind_signs_nobody_in(site: Site, said: Said) -> None:
    _, device = has_passkey(site)

    assert use(site.browser(), device, said).status_code == 401


def test_a_signature_of_another_key_signs_nobody_in(site: Site) -> None:
    _, device = has_passkey(site)
    eve = Authenticator()
    eve.make({"user": {"id": "AAAA"}, "challenge": "AAAA"})
    eve.made[0].id, eve.made[0].handle = device.made[0].id, device.made[0].handle

    assert use(site.browser(), eve, Said(count=99)).status_code == 401
    assert use(site.browser(), device).status_code == 200


@pytest.mark.parametrize(
    "said",
    [
        Said(type="webauthn.get"),
        Said(algorithm=-65535),
        Said(algorithm=-257),
        Said(id=b"short"),
        Said(id=b"x" * 1024),
    ],
    ids=["used instead of made", "unknown algorithm", "no RSA key", "short id", "long id"],
)
def test_a_passkey_that_is_none_is_not_added(site: Site, said: Said) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    assert enrol(bob, Authenticator(), said).status_code == 422


def test_an_answer_is_taken_once(site: Site) -> None:
    _, device = has_passkey(site)
    bob = site.browser()
    asked = bob.post("/auth/sign-in/passkey/options").json()
    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}

    first = bob.post("/auth/sign-in/passkey", answer)
    again = site.browser().post("/auth/sign-in/passkey", answer)
    fresh = site.browser().post("/auth/sign-in/passkey/options").json()
    moved = site.browser().post("/auth/sign-in/passkey", {**answer, "flow": fresh["flow"]})

    assert (first.status_code, again.status_code, moved.status_code) == (200, 401, 401)


def test_a_challenge_is_used_up_by_a_wrong_answer(site: Site) -> None:
    _, device = has_passkey(site)
    bob = site.browser()
    asked = bob.post("/auth/sign-in/passkey/options").json()
    right = device.sign(asked["publicKey"], Said(count=7))
    wrong = device.sign(asked["publicKey"], Said(count=6, rp="evil.test"))

    bob.post("/auth/sign-in/passkey", {"flow": asked["flow"], "credential": wrong})
    late = bob.post("/auth/sign-in/passkey", {"flow": asked["flow"], "credential": right})

    assert late.status_code == 401


def test_a_challenge_ends_after_ten_minutes(site: Site) -> None:
    _, device = has_passkey(site)
    bob = site.browser()
    asked = bob.post("/auth/sign-in/passkey/options").json()
    site.clock.pass_(minutes=10)

    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}

    assert bob.post("/auth/sign-in/passkey", answer).status_code == 401


@pytest.mark.parametrize(
    ("asked_at", "used_at"),
    [
        ("/auth/step-up/passkey/options", "/auth/sign-in/passkey"),
        ("/auth/sign-in/passkey/options", "/auth/step-up/passkey"),
    ],
)
def test_a_challenge_is_good_for_what_it_was_asked_for(
    site: Site, asked_at: str, used_at: str
) -> None:
    bob, device = has_passkey(site)
    asked = bob.post(asked_at).json()

    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}

    assert bob.post(used_at, answer).status_code == 401


def test_a_counter_that_goes_back_is_refused_remembered_and_told(site: Site) -> None:
    _, device = has_passkey(site, email="bob@example.org")
    use(site.browser(), device, Said(count=7))

    same = use(site.browser(), device, Said(count=7))
    less = use(site.browser(), device, Said(count=3))
    none = use(site.browser(), device, Said(count=0))
    more = use(site.browser(), device, Said(count=8))

    assert [each.status_code for each in (same, less, none, more)] == [401, 401, 401, 200]
    assert happened(site).count("passkey.copied") == 3
    assert site.delivered().count("passkey_copied") == 3


def test_a_passkey_of_somebody_else_is_no_second_factor(site: Site) -> None:
    has_passkey(site)
    _, of_eve = has_passkey(site, "eve")
    browser = site.browser()

    flow = {"flow": browser.sign_in().json()["flow"]}
    asked = browser.post("/auth/sign-in/second-factor/passkey/options", flow).json()
    answer = browser.post(
        "/auth/sign-in/second-factor/passkey",
        {**flow, "credential": of_eve.sign(asked["publicKey"])},
    )

    assert answer.status_code == 401
    assert browser.get("/auth/me").status_code == 401


def test_a_passkey_of_somebody_else_steps_nobody_up(site: Site) -> None:
    bob, _ = has_passkey(site)
    _, of_eve = has_passkey(site, "eve")
    asked = bob.post("/auth/step-up/passkey/options").json()

    answer = {"flow": asked["flow"], "credential": of_eve.sign(asked["publicKey"])}

    assert bob.post("/auth/step-up/passkey", answer).status_code == 401


def test_a_challenge_of_one_session_is_nothing_in_another(site: Site) -> None:
    bob, device = has_passkey(site)
    other = site.browser()
    use(other, device)
    asked = bob.post("/auth/step-up/passkey/options").json()
    wanted = bob.post("/auth/passkeys/options").json()

    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}
    made = Authenticator().make(wanted["publicKey"])

    assert other.post("/auth/step-up/passkey", answer).status_code == 401
    added = other.post("/auth/passkeys", {"flow": wanted["flow"], "credential": made})
    assert added.status_code == 422


def test_nobody_enrols_by_a_challenge_of_somebody_else(site: Site) -> None:
    site.account("bob")
    site.account("eve")
    bob, eve = site.browser(), site.browser()
    bob.sign_in("bob")
    eve.sign_in("eve")
    asked = eve.post("/auth/passkeys/options").json()

    made = Authenticator().make(asked["publicKey"])
    answer = bob.post("/auth/passkeys", {"flow": asked["flow"], "credential": made})

    assert answer.status_code == 422
    assert site.sql(select(PASSKEYS.c.id)) == []


def test_a_passkey_belongs_to_one_account(site: Site) -> None:
    _, device = has_passkey(site)
    site.account("eve")
    eve = site.browser()
    eve.sign_in("eve")

    answer = enrol(eve, Authenticator(), Said(id=device.made[0].id))

    assert answer.status_code == 422
    assert "known already" in answer.text
    assert len(site.sql(select(PASSKEYS.c.id))) == 1


def test_another_password_step_is_not_skipped_by_a_flow(site: Site) -> None:
    """26: half a sign-in is only good for its own second step."""
    _, device = has_passkey(site)
    flow = {"flow": site.browser().sign_in().json()["flow"]}
    browser = site.browser()

    unasked = {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAA"}
    answers = [
        browser.post(f"/auth/{path}", {**flow, "credential": device.sign(unasked)}).status_code
        for path in ("sign-in/passkey", "sign-in/second-factor/passkey", "token/passkey")
    ]

    assert answers == [401, 401, 401]


def test_a_disabled_account_stays_closed(site: Site) -> None:
    _, device = has_passkey(site)
    site.sql(update(USERS).values(disabled_at=datetime(2020, 1, 1, tzinfo=UTC)))

    assert use(site.browser(), device).status_code == 401


def test_17_unknown_passkeys_are_answered_like_wrong_ones(site: Site) -> None:
    _, device = has_passkey(site)
    stranger = Authenticator()
    stranger.make({"user": {"id": "AAAA"}, "challenge": "AAAA"})

    unknown = use(site.browser(), stranger)
    wrong = use(site.browser(), device, Said(rp="evil.test"))

    assert (unknown.status_code, unknown.json()["detail"]) == (401, wrong.json()["detail"])
    assert unknown.json().keys() == wrong.json().keys()
    assert unknown.headers["www-authenticate"] == wrong.headers["www-authenticate"]


def test_38_failures_of_strangers_do_not_keep_a_passkey_out(site: Site) -> None:
    _, device = has_passkey(site)
    stranger = site.browser(address="198.51.100.1")
    for _ in range(15):
        stranger.sign_in(password="wrong horse battery")

    delayed = site.browser().sign_in()
    signed = use(site.browser(), device)

    assert (delayed.status_code, signed.status_code) == (429, 200)


def test_36_challenges_are_limited_by_where_they_are_asked_from(
    site_of: SiteOf, https: Settings
) -> None:
    site = site_of(settings=https, passkeys=True, limits=Limits(per_address=3))
    browser = site.browser()

    answers = [browser.post("/auth/sign-in/passkey/options").status_code for _ in range(4)]

    assert answers == [200, 200, 200, 429]


MALFORMED: dict[str, dict[str, Any]] = {
    "no base64": {"rawId": "§", "id": "§"},
    "another id": {"id": "AAAA"},
    "no JSON": {"response": {"clientDataJSON": "AAAA"}},
    "JSON of a list": {"response": {"clientDataJSON": "W10"}},
    "deep JSON": {"response": {"clientDataJSON": "W1tb" * 1000}},
    "short data": {"response": {"authenticatorData": "AAAA"}},
    "no data": {"response": {"authenticatorData": ""}},
    "deep CBOR": {"response": {"authenticatorData": "A" * 49 + "4AAAA" + "gYGB" * 10_000}},
    "no signature": {"response": {"signature": ""}},
    "no handle": {"response": {"userHandle": "§"}},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_88_what_is_malformed_is_refused(site: Site, change: dict[str, Any]) -> None:
    _, device = has_passkey(site)
    bob = site.browser()
    asked = bob.post("/auth/sign-in/passkey/options").json()
    signed = device.sign(asked["publicKey"])
    sent = {**signed, **change, "response": {**signed["response"], **change.get("response", {})}}

    answer = bob.post("/auth/sign-in/passkey", {"flow": asked["flow"], "credential": sent})

    assert answer.status_code == 401, answer.text


@pytest.mark.parametrize(
    "sent", ["", "AAAA", "oA", "gYGB" * 10_000, "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA"]
)
def test_88_a_malformed_attestation_is_refused(site: Site, sent: str) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    asked = bob.post("/auth/passkeys/options").json()
    made = Authenticator().make(asked["publicKey"])
    made["response"]["attestationObject"] = sent

    answer = bob.post("/auth/passkeys", {"flow": asked["flow"], "credential": made})

    assert answer.status_code == 422, answer.text


def test_88_no_secret_of_a_passkey_is_in_the_export(site: Site) -> None:
    bob, _device = has_passkey(site)

    kept = bob.get("/auth/export").json()["passkeys"]

    assert [each["name"] for each in kept] == ["Key"]
    assert "public_key" not in kept[0]


# Of fifty at once, one


def test_of_fifty_answers_at_once_one_signs_in(site: Site) -> None:
    _, device = has_passkey(site)
    asked = site.browser().post("/auth/sign-in/passkey/options").json()
    # Each with a count of its own, so that only the challenge tells them apart from the first.
    answers = [
        {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}
        for _ in range(AT_ONCE)
    ]

    codes = at_once(site, "/auth/sign-in/passkey", answers)

    assert len([code for code in codes if code == 200]) == 1
    assert all(code in (200, 401, 503) for code in codes), codes


def test_of_fifty_uses_of_one_count_at_once_one_signs_in(site: Site) -> None:
    _, device = has_passkey(site)
    asked = [site.browser().post("/auth/sign-in/passkey/options").json() for _ in range(AT_ONCE)]
    answers = [
        {"flow": each["flow"], "credential": device.sign(each["publicKey"], Said(count=9))}
        for each in asked
    ]

    codes = at_once(site, "/auth/sign-in/passkey", answers)

    assert len([code for code in codes if code == 200]) == 1


def test_of_fifty_enrolments_at_once_one_is_kept(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    asked = bob.post("/auth/passkeys/options").json()
    answers = [
        {"flow": asked["flow"], "credential": Authenticator().make(asked["publicKey"])}
        for _ in range(AT_ONCE)
    ]

    bob.together([("POST", "/auth/passkeys", each) for each in answers])

    assert len(site.sql(select(PASSKEYS.c.id))) == 1


def test_of_two_passkeys_removed_at_once_one_stays(site: Site) -> None:
    bob, _ = has_passkey(site)
    enrol(bob, Authenticator())
    without_password(site)
    shown = bob.get("/auth/passkeys").json()["items"]

    bob.together([("DELETE", f"/auth/passkeys/{UUID(each['id'])}", None) for each in shown])

    assert len(site.sql(select(PASSKEYS.c.id))) == 1


def at_once(site: Site, path: str, bodies: list[Any]) -> list[int]:
    browsers = [site.browser(address=f"10.{n}.0.1") for n in range(len(bodies))]

    async def all_at_once() -> list[int]:
        import asyncio

        asked = (
            each.client.post(path, json=body) for each, body in zip(browsers, bodies, strict=True)
        )
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    codes: list[int] = site.run(all_at_once())
    return codes
