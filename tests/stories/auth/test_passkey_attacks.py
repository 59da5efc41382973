"""What attackers try with passkeys, and what they get."""

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
    VERIFIED,
    Authenticator,
    Said,
)
from tests.stories.auth.enrolling import enrol, happened, has_passkey, use

from tilth.features.auth.models.tables import PASSKEYS, PASSWORDS, USERS
from tilth.features.auth.settings import Limits
from tilth.settings import Settings

PASSWORD = "correct horse battery"
AT_ONCE = 50
Site = Any
SiteOf = Callable[..., Any]


@pytest.fixture
def site(site_of: SiteOf, https: Settings) -> Site:
    return site_of(settings=https, passkeys=True)


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
def test_86_a_forged_assertion_signs_nobody_in(site: Site, said: Said) -> None:
    _, device = has_passkey(site)

    forged = use(site.browser(), device, said)
    good = use(site.browser(), device)

    assert (forged.status_code, good.status_code) == (401, 200)
    assert forged.json()["code"] == "invalid_passkey"
    assert "passkey.failed" in happened(site)


@pytest.mark.parametrize("said", FORGERIES.values(), ids=FORGERIES)
def test_86_a_forged_attestation_adds_nothing(site: Site, said: Said) -> None:
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
def test_86_an_assertion_of_another_kind_signs_nobody_in(site: Site, said: Said) -> None:
    _, device = has_passkey(site)

    assert use(site.browser(), device, said).status_code == 401


def test_86_a_signature_of_another_key_signs_nobody_in(site: Site) -> None:
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
def test_86_a_passkey_that_is_none_is_not_added(site: Site, said: Said) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    assert enrol(bob, Authenticator(), said).status_code == 422


def test_86_an_answer_is_taken_once(site: Site) -> None:
    _, device = has_passkey(site)
    bob = site.browser()
    asked = bob.post("/auth/sign-in/passkey/options").json()
    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}

    first = bob.post("/auth/sign-in/passkey", answer)
    again = site.browser().post("/auth/sign-in/passkey", answer)
    fresh = site.browser().post("/auth/sign-in/passkey/options").json()
    moved = site.browser().post("/auth/sign-in/passkey", {**answer, "flow": fresh["flow"]})

    assert (first.status_code, again.status_code, moved.status_code) == (200, 401, 401)


def test_86_a_challenge_is_used_up_by_a_wrong_answer(site: Site) -> None:
    _, device = has_passkey(site)
    bob = site.browser()
    asked = bob.post("/auth/sign-in/passkey/options").json()
    right = device.sign(asked["publicKey"], Said(count=7))
    wrong = device.sign(asked["publicKey"], Said(count=6, rp="evil.test"))

    bob.post("/auth/sign-in/passkey", {"flow": asked["flow"], "credential": wrong})
    late = bob.post("/auth/sign-in/passkey", {"flow": asked["flow"], "credential": right})

    assert late.status_code == 401


def test_86_a_challenge_ends_after_ten_minutes(site: Site) -> None:
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
def test_86_a_challenge_is_good_for_what_it_was_asked_for(
    site: Site, asked_at: str, used_at: str
) -> None:
    bob, device = has_passkey(site)
    asked = bob.post(asked_at).json()

    answer = {"flow": asked["flow"], "credential": device.sign(asked["publicKey"])}

    assert bob.post(used_at, answer).status_code == 401


def test_86_a_counter_that_goes_back_is_refused_remembered_and_told(site: Site) -> None:
    _, device = has_passkey(site, email="bob@example.org")
    use(site.browser(), device, Said(count=7))

    same = use(site.browser(), device, Said(count=7))
    less = use(site.browser(), device, Said(count=3))
    none = use(site.browser(), device, Said(count=0))
    more = use(site.browser(), device, Said(count=8))

    assert [each.status_code for each in (same, less, none, more)] == [401, 401, 401, 200]
    assert happened(site).count("passkey.copied") == 3
    assert site.delivered().count("passkey_copied") == 3


def test_86_nothing_is_asked_of_who_has_no_passkey(site: Site) -> None:
    """Options that name no passkey would let the browser offer everybody's."""
    site.account()
    bob = site.browser()
    bob.sign_in()
    site.totp(bob)
    flow = {"flow": site.browser().sign_in().json()["flow"]}

    step_up = bob.post("/auth/step-up/passkey/options")
    second = bob.post("/auth/sign-in/second-factor/passkey/options", flow)

    assert (step_up.status_code, step_up.json()["code"]) == (401, "invalid_passkey")
    assert (second.status_code, second.json()["code"]) == (401, "invalid_passkey")


def test_86_a_passkey_of_somebody_else_is_no_second_factor(site: Site) -> None:
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


def test_86_a_passkey_of_somebody_else_steps_nobody_up(site: Site) -> None:
    bob, _ = has_passkey(site)
    _, of_eve = has_passkey(site, "eve")
    asked = bob.post("/auth/step-up/passkey/options").json()

    answer = {"flow": asked["flow"], "credential": of_eve.sign(asked["publicKey"])}

    assert bob.post("/auth/step-up/passkey", answer).status_code == 401


def test_86_a_challenge_of_one_session_is_nothing_in_another(site: Site) -> None:
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


def test_86_nobody_enrols_by_a_challenge_of_somebody_else(site: Site) -> None:
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


def test_86_a_passkey_belongs_to_one_account(site: Site) -> None:
    _, device = has_passkey(site)
    site.account("eve")
    eve = site.browser()
    eve.sign_in("eve")

    answer = enrol(eve, Authenticator(), Said(id=device.made[0].id))

    assert answer.status_code == 422
    assert "known already" in answer.text
    assert len(site.sql(select(PASSKEYS.c.id))) == 1


def test_86_another_password_step_is_not_skipped_by_a_flow(site: Site) -> None:
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


def test_86_half_a_sign_in_is_completed_once(site: Site) -> None:
    site.account()
    bob, device = site.browser(), Authenticator()
    bob.sign_in()
    codes = enrol(bob, device).json()["recovery_codes"]
    flow = {"flow": site.browser().sign_in().json()["flow"]}
    asked = bob.post("/auth/sign-in/second-factor/passkey/options", flow).json()
    signed = device.sign(asked["publicKey"])

    def completed(path: str, **answer: Any) -> int:
        status: int = site.browser().post(f"/auth/sign-in/second-factor{path}", answer).status_code
        return status

    unknown = completed("/passkey", flow="A" * 43, credential=signed)
    first = completed("", **flow, code=codes[0])
    second = completed("/passkey", **flow, credential=signed)

    assert (unknown, first, second) == (401, 200, 401)


def test_86_half_a_sign_in_is_completed_once_by_all_that_come_at_once(site: Site) -> None:
    site.account()
    bob, device = site.browser(), Authenticator()
    bob.sign_in()
    codes = enrol(bob, device).json()["recovery_codes"]
    flow = {"flow": site.browser().sign_in().json()["flow"]}
    asked = bob.post("/auth/sign-in/second-factor/passkey/options", flow).json()
    signed = {**flow, "credential": device.sign(asked["publicKey"])}
    second = "/auth/sign-in/second-factor"

    answers = site.browser().together(
        [("POST", f"{second}/passkey", signed)]
        + [("POST", second, {**flow, "code": code}) for code in codes[:3]]
    )

    assert [each.status_code for each in answers].count(200) == 1


def test_86_a_disabled_account_stays_closed(site: Site) -> None:
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


def test_86_of_fifty_answers_at_once_one_signs_in(site: Site) -> None:
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


def test_86_of_fifty_uses_of_one_count_at_once_one_signs_in(site: Site) -> None:
    _, device = has_passkey(site)
    asked = [site.browser().post("/auth/sign-in/passkey/options").json() for _ in range(AT_ONCE)]
    answers = [
        {"flow": each["flow"], "credential": device.sign(each["publicKey"], Said(count=9))}
        for each in asked
    ]

    codes = at_once(site, "/auth/sign-in/passkey", answers)

    assert len([code for code in codes if code == 200]) == 1


def test_86_of_fifty_enrolments_at_once_one_is_kept(site: Site) -> None:
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


def test_86_of_two_passkeys_removed_at_once_one_stays(site: Site) -> None:
    bob, _ = has_passkey(site)
    enrol(bob, Authenticator())
    site.sql(PASSWORDS.delete())
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
