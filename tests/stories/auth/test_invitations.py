"""The link of the first administrator, and those of invited people."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from tests.stories.auth.test_races import AT_ONCE, successes

from tilth.errors import CommandError, Invalid
from tilth.features.auth.models.counters import counter_key, take
from tilth.features.auth.models.roles import grant
from tilth.features.auth.models.tables import AUDIT, USERS
from tilth.features.auth.models.users import new_account
from tilth.features.auth.service import invitations, names
from tilth.features.auth.service.guard import milliseconds
from tilth.kernel.policy.actor import SUPERUSER
from tilth.kernel.store.sync import sync_engine

PASSWORD = "correct horse battery"
BASE = "http://127.0.0.1:5000"
ACCEPT = "/auth/sign-up/invited"
FROM_HERE = {"origin": "http://notes.test"}
Site = Any
SiteOf = Callable[..., Any]


def first_link(site: Site) -> str | None:
    link: str | None = site.run(invitations.first_admin_link(site.accounts, BASE))
    return link


def first_token(site: Site) -> str:
    link = first_link(site)
    assert link is not None
    return link.partition("token=")[2]


def wish(token: str, username: str = "ann", password: str = PASSWORD) -> dict[str, str]:
    return {"token": token, "username": username, "password": password}


def roles(site: Site, name: str = "ann") -> list[str]:
    browser = site.browser()
    assert browser.sign_in(name).status_code == 200
    found: list[str] = browser.get("/auth/me").json()["roles"]
    return found


def test_who_follows_the_first_link_chooses_name_and_password_and_may_everything(
    site: Site,
) -> None:
    ann = site.browser()
    link = first_link(site)
    assert link is not None

    shown = ann.get(link.removeprefix(BASE))
    sent = wish(link.partition("token=")[2])
    made = ann.run(ann.client.post("/sign-up/invited", data=sent, headers=FROM_HERE))
    home = ann.get("/account")

    assert re.fullmatch(rf"{BASE}/sign-up/invited\?token=[\w-]{{43}}", link)
    assert "Make your account" in shown.text
    assert made.status_code == 200
    assert home.status_code == 303, "signing in is another step"
    assert roles(site) == ["superuser"]


def test_the_first_link_leads_to_the_configured_address(site_of: SiteOf, https: Any) -> None:
    link = first_link(site_of(settings=https))

    assert link is not None
    assert link.startswith("https://notes.test/sign-up/invited?token=")


@pytest.mark.parametrize("what", ["used", "time", "forged", "shortened", "of another kind"])
def test_25_a_first_link_that_is_not_good_makes_nobody(site: Site, what: str) -> None:
    token = first_token(site)
    if what == "used":
        assert site.browser().post(ACCEPT, wish(token, "eve")).status_code == 201
    elif what == "time":
        site.clock.pass_(minutes=31)
    elif what == "of another kind":
        site.browser().post("/auth/sign-up", {"email": "bob@example.org", "password": PASSWORD})
        token = site.token("sign_up")
    else:
        token = "x" * 43 if what == "forged" else token[:-1]

    answer = site.browser().post(ACCEPT, wish(token))

    assert (answer.status_code, answer.json()["code"]) == (400, "stale_link")
    assert site.browser().sign_in("ann").status_code == 401


def test_a_first_link_is_good_for_nothing_else(site: Site) -> None:
    token = first_token(site)

    answers = [
        site.browser().post("/auth/sign-up/confirm", {"token": token}),
        site.browser().post("/auth/reset", {"token": token, "password": PASSWORD}),
        site.browser().post("/auth/verify/confirm", {"token": token}),
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert site.browser().post(ACCEPT, wish(token)).status_code == 201


def test_a_first_link_is_worth_nothing_once_there_is_a_superuser(site: Site) -> None:
    token = first_token(site)
    site.grant(site.account("root"), "superuser")

    answer = site.browser().post(ACCEPT, wish(token))

    assert answer.status_code == 400
    assert first_link(site) is None


def test_a_mistake_leaves_the_link_as_it_was(site: Site) -> None:
    site.account("bob")
    token = first_token(site)

    faults = [
        site.browser().post(ACCEPT, wish(token, password="short")),
        site.browser().post(ACCEPT, wish(token, username="bob")),
        site.browser().post(ACCEPT, wish(token, username="a b")),
    ]

    assert [fault.status_code for fault in faults] == [422, 422, 422]
    assert site.browser().post(ACCEPT, wish(token)).status_code == 201


def test_25_of_fifty_at_once_with_a_first_link_one_becomes_superuser(site: Site) -> None:
    token = first_token(site)

    wishes = [wish(token, f"ann{n}") for n in range(AT_ONCE)]

    assert successes(site, "POST", ACCEPT, wishes) == 1
    assert len(site.sql(USERS.select())) == 1


def test_of_several_first_links_at_once_one_makes_a_superuser(site: Site) -> None:
    tokens = [first_token(site) for _ in range(20)]

    wishes = [wish(token, f"ann{n}") for n, token in enumerate(tokens)]

    assert successes(site, "POST", ACCEPT, wishes) == 1
    assert len(site.sql(USERS.select())) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_first_link_waits_for_whoever_is_becoming_superuser(
    site: Site, database_url: str
) -> None:
    """On PostgreSQL only: SQLite has one writer, so there two never look at the same time."""
    token = first_token(site)
    engine = sync_engine(database_url)
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    async def while_another_holds(session: Session) -> tuple[bool, Any]:
        asked = asyncio.create_task(
            site.browser().client.post(ACCEPT, json=wish(token)), name="accept"
        )
        has_waited = False
        while not asked.done() and not has_waited:
            await asyncio.wait({asked}, timeout=0.01)
            with engine.connect() as looking:
                has_waited = bool(looking.scalar(waiting))
        grant(session, new_account(session, [names.username("root")], None, now), SUPERUSER, now)
        session.commit()
        return has_waited, await asked

    now = site.clock()
    with Session(engine) as session:
        take(session, counter_key("first admin"), invitations.ONE_BY_ONE, milliseconds(now))
        has_waited, answer = site.run(while_another_holds(session))
    engine.dispose()

    assert (has_waited, answer.status_code, answer.json()["code"]) == (True, 400, "stale_link")
    assert [row["username"] for row in site.sql(USERS.select())] == ["root"]


def test_an_invitation_gives_its_roles_and_says_so(site: Site) -> None:
    link = site.run(invitations.invitation_link(site.accounts, ["editor"]))
    token = link.partition("token=")[2]

    made = site.browser().post(ACCEPT, wish(token))
    again = site.browser().post(ACCEPT, wish(token, "eve"))

    assert (made.status_code, again.status_code) == (201, 400)
    assert roles(site) == ["editor"]
    told = site.sql(AUDIT.select().where(AUDIT.c.type == "invitation.accepted"))
    assert [row["data"] for row in told] == [{"roles": ["editor"]}]
    assert token not in str(site.sql(AUDIT.select()))


def test_an_invitation_by_mail_confirms_the_address_it_went_to(site: Site) -> None:
    address = names.email("ann@example.org")
    site.run(invitations.invite_by_mail(site.accounts, address, ["editor"]))

    made = site.browser().post(ACCEPT, wish(site.token("invitation")))

    assert (made.json()["email"], made.json()["email_verified"]) == ("ann@example.org", True)
    assert roles(site, "ann@example.org") == ["editor"]


def test_who_cannot_be_invited_is_told(site: Site) -> None:
    site.account(email="bob@example.org")

    with pytest.raises(CommandError, match="There is no role edtor"):
        site.run(invitations.invitation_link(site.accounts, ["edtor"]))
    with pytest.raises(Invalid):
        site.run(invitations.invite_by_mail(site.accounts, names.email("bob@example.org"), []))


def test_nobody_chooses_roles_or_an_address_by_themselves(site: Site) -> None:
    token = first_token(site)

    for more in ({"roles": ["superuser"]}, {"email": "ann@example.org"}):
        answer = site.browser().post(ACCEPT, {**wish(token), **more})
        assert answer.status_code == 422
