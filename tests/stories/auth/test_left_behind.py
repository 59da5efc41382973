"""What must not outlive what it rests on, and passwords that were hashed elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

import bcrypt
import pytest
from sqlalchemy import func, select
from tests.stories.auth.test_pages import send

from tilth.features.auth.models.roles import withdraw
from tilth.features.auth.models.tables import AUTH, PASSWORDS, USERS
from tilth.features.auth.service.passwords.argon2id import FLOOR
from tilth.features.auth.service.passwords.hashes import importable

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
ADDRESS = "ann@example.org"
Kept = tuple[Any, dict[str, Any], str]
Site = Any
SiteOf = Callable[..., Any]


def left_behind(site: Site) -> Kept:
    """A cookie, tokens and a key of whoever signs up with ann's address."""
    thief = site.browser(address="198.51.100.1")
    thief.post("/auth/sign-up", {"username": "ann", "email": ADDRESS, "password": PASSWORD})
    thief.sign_in("ann")
    key = thief.post("/auth/keys", {"name": "x"}).json()["key"]
    return thief, thief.tokens("ann"), key


def worth(site: Site, kept: Kept) -> list[int]:
    """How they are answered, and the password."""
    thief, pair, key = kept
    program = site.browser(address="198.51.100.1")
    answers = [
        thief.get("/auth/me"),
        program.get("/whoami", headers={"authorization": f"Bearer {pair['access_token']}"}),
        program.get("/whoami", headers={"x-api-key": key}),
        site.browser(address="198.51.100.1").sign_in("ann"),
    ]
    return [each.status_code for each in answers]


@pytest.mark.parametrize("what", ["epoch", "disabled_at"])
def test_13_a_refresh_token_ends_with_its_account_whatever_others_are(
    site: Site, what: str
) -> None:
    site.account("ann")
    site.account()
    ann, bob = (site.browser().tokens(name)["refresh_token"] for name in ("ann", "bob"))
    values = {"epoch": 7, "disabled_at": site.clock()}

    site.sql(USERS.update().where(USERS.c.username_key == "bob").values({what: values[what]}))

    answers = [
        site.browser().post("/auth/token/refresh", {"refresh_token": each}) for each in (bob, ann)
    ]
    assert [each.status_code for each in answers] == [401, 200]


def test_58_a_refresh_token_is_not_asked_for_again_once_its_successor_was_used(site: Site) -> None:
    site.account()
    bob = site.browser()

    def renewed(pair: dict[str, Any]) -> Any:
        return bob.post("/auth/token/refresh", {"refresh_token": pair["refresh_token"]})

    first = bob.tokens()
    second = renewed(first).json()
    third = renewed(second).json()

    assert (renewed(first).status_code, renewed(third).status_code) == (401, 401)


def test_84_a_second_factor_is_asked_of_whoever_has_it(site: Site) -> None:
    site.account("ann")
    site.account()
    ann = site.browser()
    ann.sign_in("ann")
    site.totp(ann)

    def asked(name: str) -> int:
        text = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
        headers = {"authorization": f"Basic {text}"}
        status: int = site.browser().get("/whoami", headers=headers).status_code
        return status

    assert (asked("ann"), asked("bob")) == (401, 200)
    assert (site.browser().sign_in("ann").status_code, site.browser().sign_in().status_code) == (
        202,
        200,
    )


@pytest.mark.parametrize("how", ["reset", "magic link"])
def test_30_whoever_proves_an_address_first_shares_it_with_nobody(
    site_of: SiteOf, how: str
) -> None:
    site = site_of(verify_email=False)
    kept = left_behind(site)
    before = worth(site, kept)
    ann = site.browser()

    if how == "reset":
        ann.post("/auth/forgot", {"identifier": ADDRESS})
        done = ann.post("/auth/reset", {"token": site.token("reset"), "password": OTHER})
    else:
        flow = ann.post("/auth/magic-link", {"identifier": ADDRESS}).json()["flow"]
        done = ann.post(
            "/auth/magic-link/sign-in", {"flow": flow, "code": site.token("magic_link")}
        )

    assert (before, done.status_code < 300) == ([200] * 4, True)
    assert worth(site, kept) == [401] * 4
    if how == "reset":
        ann.sign_in("ann", OTHER)
    assert ann.get("/auth/me").json()["email_verified"] is True


@pytest.mark.parametrize("flow", [None, "x" * 43], ids=["none", "another"])
def test_30_a_link_that_a_stranger_asked_for_asks_its_reader_for_a_password(
    site: Site, flow: str | None
) -> None:
    wish = {"username": "ann", "email": ADDRESS, "password": PASSWORD}
    site.browser(address="198.51.100.7").post("/auth/sign-up", wish)
    ann, sent = site.browser(), {"token": site.token("sign_up")}
    sent |= {"flow": flow} if flow else {}

    bare = ann.post("/auth/sign-up/confirm", sent)
    short = ann.post("/auth/sign-up/confirm", {**sent, "password": "short"})
    begun = ann.post("/auth/sign-up/confirm", {**sent, "password": OTHER})

    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "/password")
    assert (short.status_code, begun.status_code) == (422, 201)
    assert site.browser().sign_in("ann").status_code == 401, "the stranger's password"
    assert site.browser().sign_in("ann", OTHER).status_code == 200


def test_30_a_link_opened_in_another_browser_asks_for_a_password_on_its_page(site: Site) -> None:
    send(site.browser(), "/sign-up", username="ann", email=ADDRESS, password=PASSWORD)
    ann, token = site.browser(), site.token("sign_up")

    shown = ann.get(f"/sign-up/confirm?token={token}")
    bare = send(ann, "/sign-up/confirm", token=token)
    begun = send(ann, "/sign-up/confirm", token=token, password=OTHER)

    assert 'name="password"' in shown.text
    assert (bare.status_code, 'name="password"' in bare.text, begun.status_code) == (422, True, 200)
    assert site.browser().sign_in("ann", OTHER).status_code == 200


def test_30_a_mail_to_a_proved_address_leaves_the_rest(site: Site) -> None:
    site.account("ann", email=ADDRESS)
    ann, other = site.browser(), site.browser()
    other.sign_in("ann")
    key = other.post("/auth/keys", {"name": "x"}).json()["key"]

    flow = ann.post("/auth/magic-link", {"identifier": ADDRESS}).json()["flow"]
    ann.post("/auth/magic-link/sign-in", {"flow": flow, "code": site.token("magic_link")})

    assert other.get("/auth/me").status_code == 200
    assert site.browser().get("/whoami", headers={"x-api-key": key}).status_code == 200
    assert site.browser().sign_in("ann").status_code == 200


def test_97_support_ends_with_the_role_that_allows_it(site: Site) -> None:
    ids = {name: site.account(name) for name in ("support", "bob")}
    site.grant(ids["support"], "support")
    browser = site.browser()
    browser.sign_in("support")
    browser.post("/auth/impersonate", {"user_id": ids["bob"], "reason": "ticket 7"})
    before = browser.get("/auth/me").json()["username"]
    accounts: Any = site.app.freeze().states["auth"]

    site.run(accounts.changed(lambda s, now: withdraw(s, UUID(ids["support"]), "support")))

    assert before == "bob"
    assert browser.get("/auth/me").status_code == 401


def test_100_nothing_of_a_deleted_account_is_left_but_its_history(site: Site) -> None:
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()
    site.totp(bob)
    bob.post("/auth/keys", {"name": "x"})
    bob.post("/auth/forgot", {"identifier": "bob"})

    gone = bob.post("/auth/delete-account", {"current_password": PASSWORD})

    assert gone.status_code == 204, gone.text
    names = {t.name for t in AUTH.sorted_tables if "user_id" in t.c} - {"tilth_audit"}
    left = {
        t.name: site.sql(select(func.count()).select_from(t).where(t.c.user_id.is_not(None)))[0]
        for t in AUTH.sorted_tables
        if t.name in names
    }
    assert left == {name: {"count_1": 0} for name in names}
    assert site.sql(select(USERS.c.id)) == []


def bcrypt_of(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode()


def pbkdf2_of(password: str) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt" * 4, 600_000)
    return f"pbkdf2_sha256$600000${'salt' * 4}${base64.b64encode(digest).decode()}"


def md5_of(password: str) -> str:
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()


HASHES: dict[str, Callable[[str], str]] = {"bcrypt": bcrypt_of, "PBKDF2": pbkdf2_of, "MD5": md5_of}


@pytest.mark.parametrize("hash_of", HASHES.values(), ids=HASHES)
def test_19_a_hash_from_elsewhere_signs_in_and_is_made_anew(
    site: Site, hash_of: Callable[[str], str]
) -> None:
    site.account()
    site.sql(PASSWORDS.update().values(hash=importable(hash_of(OTHER), FLOOR)))

    wrong, right = site.browser().sign_in(), site.browser().sign_in(password=OTHER)

    assert (wrong.status_code, right.status_code) == (401, 200)
    assert wrong.json()["code"] == "invalid_credentials"
    [stored] = site.sql(select(PASSWORDS.c.hash))
    assert stored["hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert site.browser().sign_in(password=OTHER).status_code == 200


def test_18_what_bcrypt_would_cut_off_is_not_a_password(site: Site) -> None:
    site.account()
    longest = "x" * 72
    site.sql(PASSWORDS.update().values(hash=importable(bcrypt_of(longest), FLOOR)))

    longer, unknown = site.browser().sign_in(password=longest + "y"), site.browser().sign_in("ann")

    assert (longer.status_code, unknown.status_code) == (401, 401)
    assert longer.json()["detail"] == unknown.json()["detail"]
    assert site.browser().sign_in(password=longest).status_code == 200


@pytest.mark.parametrize(
    "stored",
    [
        "$argon2id$v=19$m=4194304,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
        "$2b$31$" + "a" * 53,
        "",
        "x",
    ],
    ids=["4 GiB", "cost 31", "empty", "nothing known"],
)
def test_22_a_hash_that_costs_too_much_is_never_computed(site: Site, stored: str) -> None:
    site.account()
    site.sql(PASSWORDS.update().values(hash=stored))

    answer = site.browser().sign_in()

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")
