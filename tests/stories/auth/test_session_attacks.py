"""Cookies, names and ways in that are not what they seem. Numbers are those of docs/reference/accounts.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.stories.auth.test_attacks import basic
from tests.stories.auth.test_costs import credential

from tilth import SetupError
from tilth.errors import Unavailable
from tilth.features.auth.settings import Limits
from tilth.settings import Settings

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
SECRET = "0123456789abcdef-ghijklmnopqrstuvwxyz"
NEWER = "zyxwvutsrqponmlkjihg-fedcba9876543210"
Site = Any
SiteOf = Callable[..., Any]
Browser = Any


def cookies(browser: Browser) -> dict[str, str]:
    return dict(browser.client.cookies.items())


def asked_with(site: Site, *headers: str) -> int:
    """The status of a request with these Cookie headers."""
    sent = [("cookie", each) for each in headers]
    status: int = site.browser().get("/auth/me", headers=sent).status_code
    return status


# Whether there is an account


@pytest.mark.parametrize("is_known", [True, False])
def test_17_an_address_that_is_asked_for_is_answered_alike(site: Site, is_known: bool) -> None:
    site.account("ann", email="ann@example.org")
    site.account(email="bob@example.org")
    bob = site.browser()
    bob.sign_in()
    wanted = "ann@example.org" if is_known else "new@example.org"

    answer = bob.post("/auth/email", {"email": wanted, "current_password": PASSWORD})

    assert (answer.status_code, answer.json()) == (202, {"status": "sent"})
    assert answer.headers.get("set-cookie") is None
    assert bob.get("/auth/me").json()["email"] == "bob@example.org"


def test_17_a_mail_that_is_asked_for_again_is_answered_alike(site_of: SiteOf) -> None:
    """Of an address that is confirmed, of one that is not, and of none."""
    site = site_of(verify_email=False)
    answers = []
    for name, more in (("ann", {"email": "ann@example.org"}), ("bob", {})):
        site.account(name, **more)
        browser = site.browser()
        browser.sign_in(name)
        answers.append(browser.post("/auth/verify"))
    again = site.browser()
    again.sign_in("ann")
    again.post("/auth/verify/confirm", {"token": site.token("verify_email")})
    answers.append(again.post("/auth/verify"))

    assert {(each.status_code, each.text) for each in answers} == {(202, answers[0].text)}


# Passwords and the keys they are remembered under


def test_21_nothing_is_cut_off_where_names_and_passwords_are_put_together(site: Site) -> None:
    """Basic remembers what it has verified; a key of both that ends early would let others in."""
    long = "".join(f"{n:03} otters " for n in range(100))[:1000]
    name, other = "b" * 60, "b" * 59
    site.account(name, long + "right")
    site.account(other, "b" + long[:900])
    program = site.browser()

    def ask(user: str, password: str) -> int:
        status: int = program.get(
            "/whoami", headers=basic(f"{user}:{password}".encode())
        ).status_code
        return status

    assert (ask(name, long + "right"), ask(other, "b" + long[:900])) == (200, 200)
    assert (ask(name, long + "wrong"), ask(name, long), ask(name, long[:72])) == (401, 401, 401)
    assert (ask(other, long[:900]), ask(name, "b" + long[:900])) == (401, 401)


# Limits


@pytest.mark.parametrize(
    "path", ["//auth/sign-in", "/auth//sign-in", "/auth/sign-in/", "/AUTH/sign-in", "/auth/Sign-In"]
)
def test_36_another_spelling_of_the_address_tries_nothing(site: Site, path: str) -> None:
    site.account()
    browser = site.browser()

    wish = {"identifier": "bob", "password": PASSWORD}
    answer = browser.post(f"{site.base}{path}", wish)

    assert answer.status_code in (307, 404, 405), answer.text
    assert "set-cookie" not in answer.headers


def test_36_an_alias_is_counted_with_what_it_stands_for(site_of: SiteOf) -> None:
    site = site_of(limits=Limits(per_address=5, overall=1000), aliases={"/login": "/auth/sign-in"})
    browser = site.browser()
    paths = ("/login", "/auth/sign-in", "/auth/token")

    codes = [
        browser.post(paths[n % 3], {"identifier": f"x{n}", "password": OTHER}).status_code
        for n in range(9)
    ]

    assert codes == [401] * 5 + [429] * 4


# Cookies


def test_40_who_signs_in_gets_another_session_than_the_one_before(site: Site) -> None:
    site.account("ann")
    site.account()
    bob = site.browser()
    bob.sign_in("ann")
    [(name, before)] = [(k, v) for k, v in cookies(bob).items() if not k.endswith("-device")]

    signed = bob.sign_in()

    assert signed.status_code == 200
    assert cookies(bob)[name] != before
    assert asked_with(site, f"{name}={before}") == 401, "the session of before is over"


@pytest.mark.parametrize("where", ["query", "form", "header"])
def test_40_an_id_is_taken_from_a_cookie_only(site: Site, where: str) -> None:
    site.account()
    bob, thief = site.browser(), site.browser()
    bob.sign_in()
    [(name, value)] = [(k, v) for k, v in cookies(bob).items() if not k.endswith("-device")]
    asked = {
        "query": lambda: thief.get(f"/auth/me?{name}={value}&session={value}"),
        "form": lambda: thief.run(
            thief.client.post(
                "/account", data={name: value}, headers={"origin": "http://notes.test"}
            )
        ),
        "header": lambda: thief.get("/auth/me", headers={"x-session": value, name: value}),
    }

    answer = asked[where]()

    assert answer.status_code in (303, 401), answer.text
    assert answer.headers.get("location", "/sign-in").startswith("/sign-in")


def sealed(site_of: SiteOf, secret: str = SECRET, previous: tuple[str, ...] = ()) -> Site:
    """With sessions that are kept nowhere, on the database of the test."""
    given = Settings(environment="development", secret_key=secret, previous_secret_keys=previous)
    return site_of(sessions="cookie", settings=given)


def test_42_a_sealed_session_ends_with_the_key_it_was_sealed_with(site_of: SiteOf) -> None:
    first = sealed(site_of)
    first.account()
    bob = first.browser()
    bob.sign_in()
    sent = "; ".join(f"{name}={value}" for name, value in cookies(bob).items())

    during, after = sealed(site_of, NEWER, (SECRET,)), sealed(site_of, NEWER)

    assert [asked_with(site, sent) for site in (first, during, after)] == [200, 200, 401]


def test_42_what_was_sealed_for_something_else_is_no_session(site_of: SiteOf) -> None:
    """By the same application, with the same key: the cookie of a browser that is known."""
    site = sealed(site_of)
    site.account()
    bob = site.browser()
    bob.sign_in()
    found = cookies(bob)
    [name] = [each for each in found if not each.endswith("-device")]
    session, device = found[name], found[f"{name}-device"]

    assert asked_with(site, f"{name}={session}") == 200
    assert asked_with(site, f"{name}={device}") == 401
    assert asked_with(site, f"{name}={session[:-1]}") == 401
    assert asked_with(site, f"{name}={session}=") == 401


@pytest.mark.parametrize("sessions", ["server", "cookie"])
def test_43_of_two_cookies_neither_counts(site_of: SiteOf, https: Settings, sessions: str) -> None:
    """A neighbour under the same domain can set another, and nobody knows which is whose."""
    site = site_of(settings=https, sessions=sessions)
    site.account()
    bob = site.browser()
    bob.sign_in()
    name, value = "__Host-tilth", cookies(bob)["__Host-tilth"]

    assert asked_with(site, f"{name}={value}") == 200
    assert asked_with(site, f"{name}={value}; {name}=x") == 401
    assert asked_with(site, f"{name}=x; {name}={value}") == 401
    assert asked_with(site, f"{name}={value}", f"{name}=x") == 401


@pytest.mark.parametrize(
    "name", ["tilth", "tilth_development", "__host-tilth", "__HOST-tilth", "__Secure-tilth"]
)
def test_43_a_cookie_that_others_could_set_is_not_looked_at(
    site_of: SiteOf, https: Settings, name: str
) -> None:
    """Neither instead of the one that only this host can set, nor beside it."""
    site = site_of(settings=https)
    site.account("ann")
    site.account()
    ann, bob = site.browser(), site.browser()
    ann.sign_in("ann")
    bob.sign_in()
    hers, his = (cookies(each)["__Host-tilth"] for each in (ann, bob))
    both = [("cookie", f"{name}={hers}; __Host-tilth={his}")]

    assert asked_with(site, f"{name}={his}") == 401
    assert site.browser().get("/auth/me", headers=both).json()["username"] == "bob"


def test_43_the_cookie_is_for_this_host_and_for_no_script(site_of: SiteOf, https: Settings) -> None:
    site = site_of(settings=https)
    site.account()

    sent = site.browser().sign_in().headers.get_list("set-cookie")

    assert sent
    for each in sent:
        parts = {part.strip().lower() for part in each.split(";")[1:]}
        assert each.startswith("__Host-")
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
        assert not any(part.startswith("domain") for part in parts)


# Other sites

FORMS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]


@pytest.mark.parametrize("kind", FORMS)
def test_44_a_form_that_says_nothing_of_where_it_comes_from_changes_nothing(
    site: Site, kind: str
) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    sent = {"content": b'{"text": "theirs"}', "headers": {"content-type": kind}}

    answers = [
        bob.run(bob.client.post(path, **sent))
        for path in ("/api/notes", "/auth/sign-out", "/account", "/sign-out")
    ]

    assert {each.status_code for each in answers} <= {403, 415}
    assert bob.get("/auth/me").status_code == 200
    assert bob.get("/api/notes").json()["items"] == []


@pytest.mark.parametrize("path", ["/auth/sign-out", "/sign-out", "/auth/delete-account"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_44_nothing_is_changed_by_looking(site: Site, method: str, path: str) -> None:
    site.account()
    bob = site.browser()
    bob.sign_in()
    override = {"x-http-method-override": "POST", "x-method-override": "POST"}

    bob.ask(method, f"{path}?_method=POST", headers=override)

    assert bob.get("/auth/me").status_code == 200


FRIEND = "https://ok.test"


@pytest.mark.parametrize(
    "origin",
    [
        "https://ok.test.evil",
        "https://evilok.test",
        "null",
        "http://ok.test",
        "https://ok.test:8443",
    ],
)
def test_47_an_origin_that_is_nearly_a_friend_is_told_nothing(
    site_of: SiteOf, https: Settings, origin: str
) -> None:
    web = replace(https.web, cors_origins=(FRIEND,), cors_credentials=True)
    site = site_of(settings=replace(https, web=web))
    site.account()
    bob = site.browser()
    bob.sign_in()
    asked = {"access-control-request-method": "POST"}

    friendly = bob.get("/auth/me", headers={"origin": FRIEND})
    answer = bob.get("/auth/me", headers={"origin": origin})
    before = bob.ask("OPTIONS", "/auth/me", headers={"origin": origin, **asked})
    note = bob.post("/api/notes", {"text": "theirs"}, headers={"origin": origin})

    assert friendly.headers["access-control-allow-origin"] == FRIEND
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in before.headers
    assert (note.status_code, bob.get("/api/notes").json()["items"]) == (403, [])


def test_47_everybody_with_credentials_is_no_configuration(
    site_of: SiteOf, https: Settings
) -> None:
    web = replace(https.web, cors_origins=("*",), cors_credentials=True)

    with pytest.raises(SetupError, match="CORS"):
        site_of(settings=replace(https, web=web))


# Configurations that are not safe


@pytest.mark.parametrize("kind", ["session", "bearer", "key", "basic"])
def test_101_a_database_that_is_down_lets_nobody_in(site: Site, kind: str) -> None:
    """What cannot be asked about is not believed."""
    site.account()
    sent = credential(site, kind)
    store = site.app.freeze().store
    plain = store.database

    class Down:
        def __getattr__(self, name: str) -> Any:
            return getattr(plain, name)

        async def fetch(self, *_: object) -> Any:
            raise Unavailable("The database does not answer.")

    program = site.browser()
    before = program.get("/whoami", **sent).status_code
    store.database = Down()
    during = program.get("/whoami", **sent).status_code
    store.database = plain

    assert (before, during) == (200, 503)
