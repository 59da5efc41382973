"""Whose a credential is and what it costs, and that an unknown name costs what a known one does."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tilth.testing.queries import watching

PASSWORD = "correct horse battery"
OTHER = "another horse battery"
Site = Any
SiteOf = Callable[..., Any]


class Recording:
    """A database that keeps what it was asked."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> Any:
        self.asked.append(sql)
        return await self._database.fetch(sql, arguments)


@contextmanager
def statements(site: Site) -> Iterator[list[str]]:
    """Of both ways to the database: units of work, and looks for credentials."""
    store = site.app.freeze().store
    plain, asked = store.database, []
    recording = store.database = Recording(plain)
    try:
        with watching(None) as watch:
            yield asked
        asked.extend([*recording.asked, *(each.sql for each in watch.asked)])
    finally:
        store.database = plain


def credential(site: Site, kind: str, name: str = "bob") -> dict[str, Any]:
    """Options of a request that carries it."""
    bob = site.browser()
    bob.sign_in(name)
    if kind == "session":
        cookies = "; ".join(f"{name}={value}" for name, value in bob.client.cookies.items())
        return {"headers": {"cookie": cookies}}
    if kind == "bearer":
        return {"headers": {"authorization": f"Bearer {bob.tokens(name)['access_token']}"}}
    if kind == "key":
        return {"headers": {"x-api-key": bob.post("/auth/keys", {"name": "x"}).json()["key"]}}
    text = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
    return {"headers": {"authorization": f"Basic {text}"}}


@pytest.mark.parametrize("sessions", ["server", "cookie"])
@pytest.mark.parametrize("kind", ["session", "bearer", "key", "basic"])
def test_a_credential_is_its_owners(site_of: SiteOf, sessions: str, kind: str) -> None:
    site = site_of(sessions=sessions)
    names = ["ann", "bob", "col"]
    for name in names:
        site.account(name)
    program = site.browser()

    answers = [program.get("/whoami", **credential(site, kind, name)).json() for name in names]

    assert answers == names


@pytest.mark.parametrize("sessions", ["server", "cookie"])
@pytest.mark.parametrize("kind", ["session", "bearer", "key", "basic"])
def test_a_credential_costs_one_statement(site_of: SiteOf, sessions: str, kind: str) -> None:
    site = site_of(sessions=sessions)
    site.account()
    sent, program = credential(site, kind), site.browser()
    # The first time a key is noted as used, and a password is computed.
    program.get("/reports", **sent)

    with statements(site) as asked:
        answer = program.get("/reports", **sent)

    assert answer.json() == "ok"
    assert len(asked) == 1, asked


@pytest.mark.parametrize("sessions", ["server", "cookie"])
@pytest.mark.parametrize("kind", ["session", "bearer"])
def test_a_credential_that_is_believed_costs_none(
    site_of: SiteOf, sessions: str, kind: str
) -> None:
    site = site_of(cache_seconds=5.0, sessions=sessions)
    site.account()
    sent, program = credential(site, kind), site.browser()
    program.get("/reports", **sent)

    with statements(site) as asked:
        program.get("/reports", **sent)
    site.clock.pass_(seconds=6)
    with statements(site) as later:
        program.get("/reports", **sent)

    assert asked == []
    assert len(later) == 1, later


@pytest.mark.parametrize("kind", ["key", "basic"])
def test_a_key_and_a_password_are_asked_about_each_time(site_of: SiteOf, kind: str) -> None:
    site = site_of(cache_seconds=5.0)
    site.account()
    sent, program = credential(site, kind), site.browser()
    program.get("/reports", **sent)

    with statements(site) as asked:
        answer = program.get("/reports", **sent)

    assert (answer.json(), len(asked)) == ("ok", 1), asked


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/auth/sign-in", {"identifier": "{}", "password": OTHER}),
        ("/auth/token", {"identifier": "{}", "password": OTHER}),
        ("/auth/forgot", {"identifier": "{}"}),
        ("/auth/magic-link", {"identifier": "{}"}),
        ("/auth/sign-up", {"email": "{}", "password": OTHER}),
    ],
    ids=["sign-in", "token", "forgot", "magic link", "sign-up"],
)
def test_17_known_and_unknown_run_the_same_statements(
    site: Site, path: str, body: dict[str, str]
) -> None:
    site.account(email="bob@example.org")
    browser = site.browser()

    def asked(address: str) -> list[str]:
        with statements(site) as found:
            browser.post(path, {name: text.format(address) for name, text in body.items()})
        return found

    asked("somebody@example.org")
    known, unknown = asked("bob@example.org"), asked("nobody@example.org")

    assert known == unknown
    assert known


def test_17_and_88_basic_asks_the_same_of_known_and_unknown(site: Site) -> None:
    site.account()
    browser = site.browser()

    def asked(name: str) -> list[str]:
        text = base64.b64encode(f"{name}:{OTHER}".encode()).decode()
        with statements(site) as found:
            browser.get("/auth/me", headers={"authorization": f"Basic {text}"})
        return found

    asked("somebody")

    assert asked("bob") == asked("nobody")
