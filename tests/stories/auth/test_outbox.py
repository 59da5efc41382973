"""The page of mails that are not sent: in development, and on this machine only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tilth.settings import Settings

OUTBOX = "/_tilth/outbox"
HERE = {"host": "127.0.0.1:8000"}
WISH = {"email": "bob@example.org", "password": "correct horse battery"}
Site = Any
SiteOf = Callable[..., Any]


def local(site: Site) -> Any:
    return site.browser(address="127.0.0.1")


def test_mails_are_shown_with_their_links_the_newest_first(site: Site) -> None:
    empty = local(site).get(OUTBOX, headers=HERE)
    site.browser().post("/auth/sign-up", WISH)
    token = site.token("sign_up")
    site.browser().post("/auth/sign-up", {**WISH, "email": "<b>ann</b>@example.org"})
    site.browser().post("/auth/sign-up", {**WISH, "email": "ann@example.org"})

    page = local(site).get(OUTBOX, headers=HERE)

    assert "None so far" in empty.text
    assert f'<a href="http://127.0.0.1:8000/sign-up/confirm?token={token}">' in page.text
    assert page.text.index("ann@example.org") < page.text.index("bob@example.org")
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == (
        "no-store",
        "no-referrer",
    )


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_it_is_asked_for_by_the_names_of_this_machine(site: Site, host: str) -> None:
    assert local(site).get(OUTBOX, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.7", HERE),
        ("127.0.0.1", {"host": "evil.example:8000"}),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}),
        ("127.0.0.1", {"host": ""}),
        ("127.0.0.1", {"host": "[::1"}),
        ("127.0.0.1", HERE | {"x-forwarded-for": "192.0.2.7"}),
        ("192.0.2.7", HERE | {"x-forwarded-for": "127.0.0.1"}),
        ("127.0.0.1", HERE | {"forwarded": "for=127.0.0.1"}),
    ],
    ids=["other", "rebound", "alike", "no name", "no host", "proxied", "spoofed", "forwarded"],
)
def test_nobody_else_sees_it(site: Site, address: str, headers: dict[str, str]) -> None:
    assert site.browser(address=address).get(OUTBOX, headers=headers).status_code in (400, 404)


def test_in_production_there_is_none(site_of: SiteOf, https: Settings) -> None:
    site = site_of(settings=https)

    answer = local(site).get(OUTBOX, headers={"host": "notes.test"})

    assert answer.status_code == 404
    assert local(site).get(OUTBOX, headers=HERE).status_code in (400, 404)
