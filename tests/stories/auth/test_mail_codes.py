"""Codes by mail as a second factor."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.stories.auth.test_pages import act, send, signed_in
from tests.stories.auth.test_races import AT_ONCE, successes

from tilth.features.auth.models.tables import AUDIT, SESSIONS, USERS
from tilth.features.auth.settings import Limits

PASSWORD = "correct horse battery"
SECOND = "/auth/sign-in/second-factor"
Site = Any
SiteOf = Callable[..., Any]


@pytest.fixture
def mailed(site_of: SiteOf) -> Site:
    """A site with codes by mail, and bob who has an address."""
    site = site_of(mail_codes=True)
    site.account(email="bob@example.org")
    return site


def grow_old(site: Site) -> None:
    """Every session was last proved 40 minutes ago, by the clock that `max_age` goes by."""
    site.sql(SESSIONS.update().values(authenticated_at=site.clock() - timedelta(minutes=40)))


def factor_of(browser: Any) -> str:
    [found] = browser.get("/auth/factors").json()["items"]
    id_: str = found["id"]
    return id_


def removals(site: Site) -> list[Any]:
    told = site.sql(AUDIT.select().where(AUDIT.c.type == "factor.removed"))
    return [row["data"] for row in told]


def last_code(site: Site) -> str:
    site.delivered()
    message = next(m for m in reversed(site.mail.messages) if m.kind == "mail_code")
    found = re.search(r"minutes: (\S+)", message.text)
    assert found, message.text
    return found[1]


def set_up(site: Site) -> tuple[Any, list[str]]:
    """Bob's browser, and his recovery codes."""
    bob = site.browser()
    bob.sign_in()
    offered = bob.post("/auth/factors/mail")
    assert offered.status_code == 201, offered.text
    sent = {"id": offered.json()["id"], "code": last_code(site)}
    confirmed = bob.post("/auth/factors/mail/confirm", sent)
    assert confirmed.status_code == 200, confirmed.text
    codes: list[str] = confirmed.json()["recovery_codes"]
    return bob, codes


def asked(site: Site, browser: Any | None = None) -> tuple[Any, str]:
    """A browser that has given the password and was sent a code, and its flow."""
    fresh = browser or site.browser()
    flow: str = fresh.sign_in().json()["flow"]
    sent = fresh.post("/auth/second-factor/mail", {"flow": flow})
    assert sent.status_code == 202, sent.text
    return fresh, flow


def test_a_code_by_mail_is_set_up_and_asked_for(mailed: Site) -> None:
    bob, codes = set_up(mailed)

    waits = mailed.browser().sign_in()
    fresh, flow = asked(mailed)
    wrong = fresh.post(SECOND, {"flow": flow, "code": "0000-0000"})
    signed = fresh.post(SECOND, {"flow": flow, "code": last_code(mailed).lower()})

    assert len(codes) == 10
    assert waits.json()["factors"] == ["mail", "recovery_code"]
    assert (wrong.status_code, signed.status_code) == (401, 200)
    assert fresh.get("/auth/me").json()["assurance"] == 2
    assert fresh.get("/vault").status_code == 200
    assert [each["kind"] for each in bob.get("/auth/factors").json()["items"]] == ["mail"]


def test_codes_by_mail_are_off_unless_asked_for(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = signed_in(site)

    answers = [bob.post("/auth/factors/mail"), bob.post("/auth/second-factor/mail", {"flow": "x"})]

    assert [answer.status_code for answer in answers] == [405, 404]
    assert "codes by mail" not in bob.get("/account").text
    assert act(bob, "offer_mail").status_code == 403


def test_83_a_code_by_mail_is_good_once_for_one_sign_in(mailed: Site) -> None:
    set_up(mailed)
    first, flow = asked(mailed)
    code = last_code(mailed)
    other, other_flow = asked(mailed)

    elsewhere = other.post(SECOND, {"flow": other_flow, "code": code})
    used = first.post(SECOND, {"flow": flow, "code": code})
    again = first.post(SECOND, {"flow": flow, "code": code})

    assert (elsewhere.status_code, used.status_code, again.status_code) == (401, 200, 401)


def test_83_a_code_by_mail_ends_with_its_time(mailed: Site) -> None:
    set_up(mailed)
    first, _ = asked(mailed)
    code = last_code(mailed)

    mailed.clock.pass_(minutes=9)
    flow = first.sign_in().json()["flow"]
    mailed.clock.pass_(minutes=2)

    assert first.post(SECOND, {"flow": flow, "code": code}).status_code == 401


def test_83_of_fifty_at_once_with_a_code_by_mail_one_succeeds(mailed: Site) -> None:
    set_up(mailed)
    _, flow = asked(mailed)
    wish = {"flow": flow, "code": last_code(mailed)}

    assert successes(mailed, "POST", SECOND, [wish] * AT_ONCE) == 1


def test_83_codes_by_mail_are_not_guessed(mailed: Site) -> None:
    set_up(mailed)
    fresh, flow = asked(mailed)

    guesses = [fresh.post(SECOND, {"flow": flow, "code": f"0000-000{n}"}) for n in range(8)]
    right = fresh.post(SECOND, {"flow": flow, "code": last_code(mailed)})

    assert {guess.status_code for guess in guesses} <= {401, 429}
    assert right.status_code in (401, 429)


def test_36_a_mailbox_is_not_flooded(mailed: Site) -> None:
    set_up(mailed)
    flows = [mailed.browser().sign_in().json()["flow"] for _ in range(3)]

    answers = [
        mailed.browser(address=f"10.{n}.0.1").post("/auth/second-factor/mail", {"flow": flow})
        for n, flow in enumerate(flows * 3)
    ]

    assert [answer.status_code for answer in answers] == [202] * 4 + [429] * 5
    assert answers[-1].headers["retry-after"]
    assert mailed.delivered().count("mail_code") == 5


def test_36_one_address_does_not_ask_for_many(site_of: SiteOf) -> None:
    site = site_of(mail_codes=True, limits=Limits(per_address=3, overall=1000))
    site.account(email="bob@example.org")
    set_up(site)
    flow = site.browser(address="10.1.0.1").sign_in().json()["flow"]
    asking = site.browser(address="10.2.0.1")

    answers = [asking.post("/auth/second-factor/mail", {"flow": flow}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert site.delivered().count("mail_code") == 4


def test_a_disabled_account_is_sent_nothing(mailed: Site) -> None:
    set_up(mailed)
    fresh, flow = asked(mailed)
    mailed.sql(USERS.update().values(disabled_at=mailed.clock()))

    again = fresh.post("/auth/second-factor/mail", {"flow": flow})

    assert again.status_code == 401
    assert mailed.delivered().count("mail_code") == 2


def test_codes_by_mail_are_set_up_once(mailed: Site) -> None:
    bob, _ = set_up(mailed)

    again = bob.post("/auth/factors/mail")

    assert (again.status_code, again.json()["code"]) == (400, "factor_exists")
    assert len(bob.get("/auth/factors").json()["items"]) == 1


def test_codes_of_before_are_worth_nothing_once_they_are_turned_off(
    site_of: SiteOf, mailed: Site
) -> None:
    set_up(mailed)
    _, flow = asked(mailed)
    without = site_of(mail_codes=False).browser()

    refused = without.post(SECOND, {"flow": flow, "code": last_code(mailed)})
    # The other application has a clock of its own, which began later.
    mailed.clock.pass_(minutes=1)

    assert refused.status_code == 401
    assert (
        mailed.browser().post(SECOND, {"flow": flow, "code": last_code(mailed)}).status_code == 200
    )


def test_a_mail_does_not_prove_a_second_factor_beside_a_mail(mailed: Site) -> None:
    _, codes = set_up(mailed)
    fresh = mailed.browser()
    asked_flow = fresh.post("/auth/magic-link", {"identifier": "bob"}).json()["flow"]
    token = mailed.token("magic_link")

    waits = fresh.post("/auth/magic-link/sign-in", {"flow": asked_flow, "code": token}).json()
    sent = fresh.post("/auth/second-factor/mail", {"flow": waits["flow"]})
    signed = fresh.post(SECOND, {"flow": waits["flow"], "code": codes[0]})

    assert waits["factors"] == ["recovery_code"]
    assert (sent.status_code, signed.status_code) == (404, 200)


def test_codes_by_mail_go_to_confirmed_addresses_only(site_of: SiteOf) -> None:
    site = site_of(mail_codes=True, verify_email=False)
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()

    assert bob.post("/auth/factors/mail").json()["code"] == "no_confirmed_address"


def test_84_nobody_is_sent_a_code_for_somebody_else(mailed: Site) -> None:
    set_up(mailed)
    mailed.account("eve", email="eve@example.org")
    eve = mailed.browser()
    eve.sign_in("eve")

    answers = [
        eve.post("/auth/second-factor/mail", {"flow": "x" * 43}),
        eve.post("/auth/step-up/mail"),
        mailed.browser().post("/auth/step-up/mail"),
    ]

    assert [answer.status_code for answer in answers] == [401, 404, 401]


def test_a_code_by_mail_steps_up_the_session_that_asked(mailed: Site) -> None:
    set_up(mailed)
    bob, flow = asked(mailed)
    bob.post(SECOND, {"flow": flow, "code": last_code(mailed)})
    old, flow = asked(mailed)
    old.post(SECOND, {"flow": flow, "code": last_code(mailed)})
    grow_old(mailed)
    stale = old.get("/vault")

    bob.post("/auth/step-up/mail")
    of_another = old.post("/auth/step-up", {"code": last_code(mailed)})
    old.post("/auth/step-up/mail")
    stepped = old.post("/auth/step-up", {"code": last_code(mailed)})

    assert (stale.status_code, of_another.status_code, stepped.status_code) == (401, 401, 204)
    assert old.get("/vault").status_code == 200


def test_a_code_by_mail_completes_a_sign_in_by_token(mailed: Site) -> None:
    set_up(mailed)
    program = mailed.browser()
    waits = program.post("/auth/token", {"identifier": "bob", "password": PASSWORD}).json()
    program.post("/auth/second-factor/mail", {"flow": waits["flow"]})

    given = program.post(
        "/auth/token/second-factor", {"flow": waits["flow"], "code": last_code(mailed)}
    )

    assert given.status_code == 200
    bearer = {"authorization": f"Bearer {given.json()['access_token']}"}
    assert mailed.browser().get("/auth/me", headers=bearer).json()["assurance"] == 2


def test_an_old_address_is_sent_nothing_and_its_codes_are_worth_nothing(mailed: Site) -> None:
    bob, _ = set_up(mailed)
    fresh, flow = asked(mailed)
    code = last_code(mailed)
    bob.post("/auth/email", {"email": "new@example.org", "current_password": PASSWORD})
    mailed.delivered()
    mail = next(m for m in reversed(mailed.mail.messages) if m.kind == "change_email")
    bob.post("/auth/email/confirm", {"token": mail.text.partition("token=")[2].split()[0]})

    late = fresh.post(SECOND, {"flow": flow, "code": code})
    asked(mailed)
    mailed.delivered()

    assert late.status_code == 401
    assert mailed.mail.messages[-1].to == "new@example.org"


def test_87_codes_by_mail_are_removed_and_told(mailed: Site) -> None:
    bob, _ = set_up(mailed)
    factor = factor_of(bob)

    gone = bob.ask("DELETE", f"/auth/factors/{factor}")
    mailed.delivered()

    assert gone.status_code == 204
    assert "Sending codes by mail was removed" in mailed.mail.messages[-1].text
    assert mailed.browser().sign_in().status_code == 200
    assert removals(mailed) == [{"kind": "mail"}]


def test_87_codes_by_mail_are_not_removed_from_a_screen_that_was_left_open(mailed: Site) -> None:
    bob, _ = set_up(mailed)
    factor = factor_of(bob)
    grow_old(mailed)

    refused = bob.ask("DELETE", f"/auth/factors/{factor}")
    on_page = act(bob, "remove_factor", id=factor)

    assert (refused.status_code, refused.json()["code"]) == (401, "step_up_required")
    assert on_page.status_code == 401
    assert (factor_of(bob), removals(mailed)) == (factor, [])


def test_48_codes_by_mail_are_not_removed_by_another(mailed: Site) -> None:
    bob, _ = set_up(mailed)
    mailed.account("eve")
    eve = mailed.browser()
    eve.sign_in("eve")

    refused = eve.ask("DELETE", f"/auth/factors/{factor_of(bob)}")

    assert (refused.status_code, removals(mailed)) == (404, [])
    assert mailed.browser().sign_in().status_code == 202


def test_pages_remove_codes_by_mail(mailed: Site) -> None:
    bob, _ = set_up(mailed)

    shown = bob.get("/account").text
    gone = act(bob, "remove_factor", id=factor_of(bob))
    after = bob.get("/account").text

    assert "Codes by mail, since" in shown
    assert gone.status_code == 303
    assert ("Codes by mail, since" in after, "Set up codes by mail" in after) == (False, True)
    assert removals(mailed) == [{"kind": "mail"}]
    assert mailed.browser().sign_in().status_code == 200


def test_90_no_code_is_in_the_history(mailed: Site) -> None:
    bob, _ = set_up(mailed)

    assert last_code(mailed) not in bob.get("/auth/history").text + bob.get("/auth/export").text


def test_pages_set_up_ask_for_and_take_codes_by_mail(mailed: Site) -> None:
    bob = signed_in(mailed)
    offered = act(bob, "offer_mail").text
    id_ = re.search(r'name="id" value="([0-9a-f-]{36})">\s*<div class="field">', offered)
    assert id_, offered
    wrong = act(bob, "confirm_mail", id=id_[1], code="0000-0000")
    kept = act(bob, "confirm_mail", id=id_[1], code=last_code(mailed))
    fresh = mailed.browser()
    second = send(fresh, "/sign-in", identifier="bob", password=PASSWORD, next="/account")
    carried = dict(re.findall(r'name="(flow|next|factors)" value="([^"]*)"', second.text))
    told = send(fresh, "/mfa", act="send", **carried)
    passed = send(fresh, "/mfa", code=last_code(mailed), **carried)

    assert "Send me a code by mail" in second.text
    assert (wrong.status_code, id_[1] in wrong.text) == (422, True)
    assert kept.text.count("<li>") == 10
    assert "A code was sent" in told.text
    assert (passed.status_code, passed.headers["location"]) == (303, "/account")


def test_pages_step_up_by_a_code_by_mail(mailed: Site) -> None:
    set_up(mailed)
    bob, flow = asked(mailed)
    bob.post(SECOND, {"flow": flow, "code": last_code(mailed)})
    grow_old(mailed)

    refused = act(bob, "make_key", name="backup")
    told = act(bob, "send_code")
    proved = act(bob, "prove", code=last_code(mailed))

    assert "Send me a code by mail" in refused.text
    assert (told.status_code, 'value="prove"' in told.text) == (200, True)
    assert proved.status_code == 303
    assert act(bob, "make_key", name="backup").status_code == 200
