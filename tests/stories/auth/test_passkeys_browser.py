"""Passkeys in a real browser, with the authenticator that it brings for tests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import (
    Browser,
    CDPSession,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tilth import Auth, Tilth
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings, WebSettings

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "correct horse battery"
SECRET = "0123456789abcdef-ghijklmnopqrstuvwxyz"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs the browser at {CHROMIUM}")


DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
NOT_OFFERED = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"
PASSKEYS = "section[aria-labelledby=passkeys]"


@dataclass
class Visit:
    """One browser whose authenticator is touched whenever it asks, and what went wrong in it."""

    page: Page
    cdp: CDPSession
    origin: str
    device: str
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

    def add_passkey(self) -> list[str]:
        """Answers the recovery codes."""
        self.page.wait_for_url("**/account")
        self.page.fill("#passkey-name", "Telephone")
        self.press("Add a passkey")
        codes = self.page.locator(".codes li")
        expect(codes).to_have_count(10)
        return codes.all_inner_texts()

    def passkeys(self) -> list[Any]:
        device = {"authenticatorId": self.device}
        return list(self.cdp.send("WebAuthn.getCredentials", device)["credentials"])

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
            self.complaints.append(message.text)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # The number is where it listens; pages are opened by the name that passkeys are made for.
        web = WebSettings(public_url=f"http://127.0.0.1:{port}")
        settings = Settings(environment="development", secret_key=SECRET, web=web)
        url = f"sqlite:///{tmp_path / 'test.db'}"
        app = Tilth(url, auth=Auth(passkeys=True), settings=settings, title="Notes")
        engine = sync_engine(url)
        create_missing_tables(engine, app.freeze().own)
        engine.dispose()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield f"http://localhost:{port}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, origin: str) -> Iterator[Visit]:
    """Bob, who has an account."""
    page = browser.new_context(viewport={"width": 320, "height": 640}).new_page()
    page.set_default_timeout(10_000)
    cdp = page.context.new_cdp_session(page)
    cdp.send("WebAuthn.enable")
    made = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})
    visit = Visit(page, cdp, origin, made["authenticatorId"])
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", visit.hear)
    visit.go("/sign-up")
    page.fill("#username", "bob")
    page.fill("#password", PASSWORD)
    visit.press("Make the account")
    yield visit
    page.context.close()


def test_a_passkey_is_added_and_signs_in(visit: Visit) -> None:
    visit.page.add_init_script(NOT_OFFERED)
    visit.sign_in_by_password()

    visit.add_passkey()
    (made,) = visit.passkeys()
    visit.go("/account")
    visit.press("Sign out")
    visit.press("Sign in with a passkey")
    visit.page.wait_for_url("**/account")

    assert (made["rpId"], made["isResidentCredential"]) == ("localhost", True)
    assert "Telephone" in visit.page.inner_text(PASSKEYS)
    assert "last used" in visit.page.inner_text(PASSKEYS)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert visit.complaints == []


def test_a_passkey_is_offered_where_the_name_is_typed(visit: Visit) -> None:
    visit.sign_in_by_password()
    visit.add_passkey()
    visit.go("/account")

    # The authenticator is touched as soon as the page has offered it: nothing is pressed.
    visit.press("Sign out")
    visit.page.wait_for_url("**/account")

    assert "last used" in visit.page.inner_text(PASSKEYS)
    assert visit.complaints == []


def test_a_passkey_is_the_second_step_and_the_next_page_comes(visit: Visit) -> None:
    visit.page.add_init_script(NOT_OFFERED)
    visit.sign_in_by_password()
    visit.add_passkey()
    visit.page.context.clear_cookies()

    visit.go("/sign-in?next=/account%3Fhere")
    visit.page.fill("#identifier", "bob")
    visit.page.fill("#password", PASSWORD)
    visit.press("Sign in")
    visit.press("Use a passkey")
    visit.page.wait_for_url("**/account?here")

    assert "last used" in visit.page.inner_text(PASSKEYS)
    assert visit.complaints == []


def test_what_the_authenticator_does_not_do_is_told(visit: Visit) -> None:
    visit.page.add_init_script(NOT_OFFERED)
    visit.sign_in_by_password()
    visit.add_passkey()
    visit.go("/account")

    visit.press("Add a passkey")
    alert = visit.page.locator(f"{PASSKEYS} [role=alert]")

    expect(alert).to_have_text("This device has a passkey for this account already.")


def test_a_page_at_a_number_leads_to_the_name(visit: Visit) -> None:
    port = visit.origin.rpartition(":")[2]

    visit.page.goto(f"http://127.0.0.1:{port}/sign-in")
    visit.page.get_by_role("link", name=f"{visit.origin}/sign-in").click()

    expect(visit.page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()


def test_without_scripts_a_recovery_code_is_the_second_step(visit: Visit, browser: Browser) -> None:
    visit.sign_in_by_password()
    codes = visit.add_passkey()
    page = browser.new_context(java_script_enabled=False).new_page()
    page.set_default_timeout(10_000)

    page.goto(f"{visit.origin}/sign-in")
    can_see = page.get_by_role("button", name="Sign in with a passkey").is_visible()
    page.fill("#identifier", "bob")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.fill("#code", codes[0])
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/account")

    assert not can_see
    assert "needs scripts to be on" in page.inner_text(PASSKEYS)
    page.context.close()
