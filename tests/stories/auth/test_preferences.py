"""What people prefer: kept with their account, and honoured by the pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.stories.auth.test_pages import act, send, signed_in

PATH = "/auth/preferences"
Site = Any
SiteOf = Callable[..., Any]


def test_preferences_are_kept_with_the_account(site_of: SiteOf) -> None:
    site = site_of(languages=("en", "de"))
    site.account()
    here, there = site.browser(), site.browser()
    here.sign_in()
    there.sign_in()

    before = here.get(PATH).json()
    kept = here.ask("PUT", PATH, {"text_size": "larger", "language": "de"})

    assert before == {"text_size": "normal", "language": None}
    assert (kept.status_code, there.get(PATH).json()) == (200, kept.json())
    assert kept.json() == {"text_size": "larger", "language": "de"}
    assert there.get("/language").json() == "de"


def test_what_there_is_not_cannot_be_preferred(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    answer = bob.ask("PUT", PATH, {"text_size": "huge", "language": "<b>"})
    unnamed = bob.ask("PUT", PATH, {"colour": "red"})

    assert {each["pointer"] for each in answer.json()["errors"]} == {"/text_size", "/language"}
    assert unnamed.status_code == 422
    assert site.browser().get(PATH).status_code == 401


def test_pages_have_the_text_size_that_is_preferred_before_signing_in_too(site: Site) -> None:
    site.account()
    bob, other = signed_in(site), site.browser()

    changed = act(bob, "prefer", text_size="large")
    account = bob.get("/account")
    send(bob, "/sign-out")
    sign_in = bob.get("/sign-in")

    assert changed.status_code == 303
    assert '<html lang="en" class="text-large">' in account.text
    assert '<option value="large" selected>' in account.text
    assert '<html lang="en" class="text-large">' in sign_in.text
    assert '<html lang="en">' in other.get("/sign-in").text


def test_another_browser_has_the_text_size_of_the_account_once_it_has_signed_in(
    site: Site,
) -> None:
    site.account()
    bob = signed_in(site)
    act(bob, "prefer", text_size="larger")
    fresh = signed_in(site)

    account = fresh.get("/account")
    back = act(fresh, "prefer", text_size="normal")
    fresh.get("/account")

    assert 'class="text-larger"' in account.text
    assert back.status_code == 303
    assert 'class="text' not in fresh.get("/sign-in").text


@pytest.mark.parametrize("size", ["huge", '"><b>', ""])
def test_a_text_size_that_is_none_is_the_usual_one(site: Site, size: str) -> None:
    page = site.browser().get("/sign-in", headers={"cookie": f"tilth_development-text={size}"})

    assert '<html lang="en">' in page.text
