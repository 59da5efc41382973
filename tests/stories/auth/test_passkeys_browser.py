"""Passkeys in a real browser, with the authenticator that it brings for tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from tests.stories.auth.conftest import Base
from tilth import Auth, Tilth
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings, WebSettings

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "correct horse battery"
SECRET = "0123456789abcdef-ghijklmnopqrstuvwxyz"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs the browser at {CHROMIUM}")


@dataclass
class Visit:
    """One browser, and what its pages complained of."""

    page: Page
    cdp: CDPSession
    origin: str
    device: dict[str, str]
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.origin}{path}")

    def press(self, button: str) -> None:
        self.page.get_by_role("button", name=button, exact=True).click()

    def sign_in_by_password(self) -> None:
        self.go("/sign-in")
        self.page.fill("#identifier", "bob")
        self.page.fill("#password", PASSWORD)
        self.press("Sign in")

    def passkeys(self) -> list[Any]:
        return list(self.cdp.send("WebAuthn.getCredentials", self.device)["credentials"])

    def is_touched(self, at_once: bool) -> None:
        """Whether the authenticator's owner touches it whenever it asks."""
        self.cdp.send(
            "WebAuthn.setAutomaticPresenceSimulation", {**self.device, "enabled": at_once}
        )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[], str]]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # The number is what it listens at; pages are opened by the name that passkeys are made for.
        web = WebSettings(public_url=f"http://127.0.0.1:{port}")
        settings = Settings(environment="development", secret_key=SECRET, web=web)
        url = f"sqlite:///{tmp_path / 'test.db'}"
        app = Tilth(url, auth=Auth(passkeys=True), settings=settings, title="Notes")
        engine = sync_engine(url)
        create_missing_tables(engine, [*app.freeze().own, Base.metadata])
        engine.dispose()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield lambda: f"http://localhost:{port}"
        server.should_exit = True
        thread.join()


@pytest.fixture
def visit(served: Callable[[], str]) -> Iterator[Visit]:
    """Bob, who has an account, in a browser with an authenticator that knows its owner."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context().new_page()
        page.set_default_timeout(10_000)
        cdp = page.context.new_cdp_session(page)
        cdp.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        device = {"authenticatorId": made["authenticatorId"]}
        visit = Visit(page, cdp, served(), device)
        page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        page.on("console", lambda message: visit.complaints.append(message.text))
        visit.go("/sign-up")
        page.fill("#username", "bob")
        page.fill("#password", PASSWORD)
        visit.press("Make the account")
        yield visit
        browser.close()


def test_a_passkey_is_added_and_signs_in(visit: Visit) -> None:
    visit.sign_in_by_password()

    visit.page.fill("#passkey-name", "Telephone")
    visit.press("Add a passkey")
    expect(visit.page.locator(".codes li")).to_have_count(10)
    (made,) = visit.passkeys()
    visit.go("/account")
    shown = visit.page.inner_text("section[aria-labelledby=passkeys]")
    visit.is_touched(False)
    visit.press("Sign out")
    visit.is_touched(True)
    visit.press("Sign in with a passkey")
    visit.page.wait_for_url("**/account")

    assert (made["rpId"], made["isResidentCredential"], made["userName"]) == (
        "localhost",
        True,
        "bob",
    )
    assert "Telephone" in shown
    assert "last used" in visit.page.inner_text("section[aria-labelledby=passkeys]")
    assert visit.complaints == []
