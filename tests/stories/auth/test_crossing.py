"""What a program with a password may send, what a browser may have been made to send, and what is told."""

from __future__ import annotations

import base64
from typing import Any

import pytest

Site = Any

BASIC = {
    "authorization": "Basic " + base64.b64encode(b"bob:correct horse battery").decode(),
}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("path", ["/api/notes", "/auth/keys"])
def test_a_program_with_a_password_may_send_no_body(site: Site, path: str) -> None:
    site.account()

    answer = site.browser().ask("POST", path, headers=BASIC)

    # What is missing is told, instead of another site being suspected.
    assert answer.status_code in (400, 415, 422)
    assert answer.json()["code"] != "cross_site"


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "form": (FORM, "Content-Type: application/json"),
    "other origin": ({"origin": "https://evil.example"}, "Origin: https://evil.example"),
    "no origin to speak of": ({"origin": "null"}, "Origin: null"),
    "said by the browser": ({"sec-fetch-site": "cross-site"}, "Sec-Fetch-Site"),
    "JSON of another origin": (
        {"origin": "https://evil.example", "content-type": "application/json"},
        "Origin: https://evil.example",
    ),
}


@pytest.mark.parametrize(("more", "told"), REFUSED.values(), ids=REFUSED)
def test_a_browser_with_a_password_is_refused_and_told_why(
    site: Site, more: dict[str, str], told: str
) -> None:
    site.account()

    answer = site.browser().ask("POST", "/api/notes", headers={**BASIC, **more})

    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert told in answer.json()["detail"]
    assert "API key" in answer.json()["detail"]


def test_a_cookie_makes_a_request_without_a_body_suspect(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    alone = bob.ask("POST", "/auth/sign-out")
    with_basic = bob.ask("POST", "/auth/sign-out", headers=BASIC)

    assert (alone.status_code, with_basic.status_code) == (403, 403)
    assert bob.get("/auth/me").status_code == 200


def test_who_signs_in_with_nothing_learns_of_both_that_is_missing(site: Site) -> None:
    answer = site.browser().post("/auth/sign-in", {})
    two = site.browser().post("/auth/sign-in", {"username": "a", "email": "b", "password": "c"})
    no_password = site.browser().post("/auth/sign-in", {"username": "bob", "x": 1})

    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [
        ("", "value_error"),
        ("/password", "missing"),
    ]
    assert [each["pointer"] for each in two.json()["errors"]] == [""]
    assert [each["pointer"] for each in no_password.json()["errors"]] == ["/password", "/x"]


def test_what_an_answer_depends_on_is_named_once(site: Site) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()

    varies = bob.get("/api/notes").headers["vary"].lower().split(", ")

    assert sorted(varies) == ["accept", "authorization", "cookie", "x-api-key"]
