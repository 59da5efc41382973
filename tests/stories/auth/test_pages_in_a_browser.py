"""Every page of accounts in Chromium: axe finds nothing, in light and dark, 320 pixels wide."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tilth import Auth, Tilth
from tilth.features.auth.adapters.development import DevelopmentMail
from tilth.features.auth.service.totp import code_at, step_at
from tilth.features.auth.settings import Limits
from tilth.kernel.store.sync import create_missing_tables, sync_engine
from tilth.settings import Settings, WebSettings

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "correct horse battery"
OTHER = "another horse battery"
SECRET = "0123456789abcdef-ghijklmnopqrstuvwxyz"
NARROW: Any = {"width": 320, "height": 640}
# Of WCAG 2.2 up to AA, and what axe's authors recommend beside it.
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
RULES["values"] += ["best-practice"]
SQUEEZED = """[...document.querySelectorAll("button, dd")]
    .filter(each => each.offsetHeight > each.offsetWidth).map(each => each.innerText)"""

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"needs the browser at {CHROMIUM}")


@dataclass(frozen=True)
class Served:
    app: Tilth
    mail: DevelopmentMail
    origin: str

    def told(self, kind: str, pattern: str) -> str:
        """From the last mail of a kind, which may still be on its way."""
        state: Any = self.app.freeze().states["auth"]
        loop: asyncio.AbstractEventLoop = state.postman.mail.loop
        asyncio.run_coroutine_threadsafe(state.postman.delivered(), loop).result(10)
        text = next(each.text for each in reversed(self.mail.messages) if each.kind == kind)
        found = re.search(pattern, text)
        assert found, text
        return found[1]

    def link(self, kind: str) -> str:
        path = self.told(kind, r"http://[^/\s]+(/\S+)")
        return f"{self.origin}{path}"


class Mail(DevelopmentMail):
    """Knows the loop that it is called in."""

    async def send(self, message: Any) -> None:
        self.loop = asyncio.get_running_loop()
        await super().send(message)


@pytest.fixture
def served(sqlite_url: str) -> Iterator[Served]:
    mail = Mail()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        # By its name, since no passkeys are made for a number.
        origin = f"http://localhost:{listening.getsockname()[1]}"
        auth = Auth(
            mail=mail,
            mail_codes=True,
            passkeys=True,
            trusted_devices=timedelta(days=30),
            languages=("en", "de"),
            limits=Limits(per_address=10_000, overall=100_000),
        )
        settings = Settings(
            environment="development", secret_key=SECRET, web=WebSettings(public_url=origin)
        )
        app = Tilth(sqlite_url, auth=auth, settings=settings, title="Notes")
        engine = sync_engine(sqlite_url)
        create_missing_tables(engine, app.freeze().own)
        engine.dispose()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        yield Served(app, mail, origin)
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def code_of(secret: str, steps: int = 0) -> str:
    seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return code_at(seed, step_at(datetime.now(UTC)) + steps)


def act(page: Page, which: str) -> None:
    page.locator(f"form:has(input[value={which}]) button").first.click()


def before_an_account(served: Served, page: Page) -> Iterator[str]:
    page.goto(f"{served.origin}/sign-up")
    yield "sign-up"
    page.fill("#username", "a b")
    page.fill("#password", "short")
    page.click("text=Make the account")
    yield "sign-up, mistakes"
    page.fill("#username", "bob")
    page.fill("#email", "bob@example.org")
    page.fill("#password", PASSWORD)
    page.click("text=Make the account")
    yield "sign-up, mail sent"
    page.goto(served.link("sign_up"))
    yield "sign-up, link"
    page.context.clear_cookies()
    page.reload()
    yield "sign-up, link elsewhere"
    page.fill("#password", PASSWORD)
    page.click("text=Begin >> nth=1")
    yield "sign-up, done"
    page.goto(f"{served.origin}/sign-up/invited?token=x")
    yield "invited"


def signing_in(served: Served, page: Page) -> Iterator[str]:
    page.goto(f"{served.origin}/sign-in/link")
    yield "link, asked for"
    page.fill("#identifier", "bob")
    page.click("text=Send a link")
    yield "link, sent"
    page.goto(served.link("magic_link"))
    yield "link, followed"
    page.goto(f"{served.origin}/reset")
    yield "reset"
    page.fill("#identifier", "bob")
    page.click("button")
    page.goto(served.link("reset"))
    yield "reset, link"
    page.goto(f"{served.origin}/sign-in")
    yield "sign-in"
    page.fill("#identifier", "bob")
    page.fill("#password", OTHER)
    page.click("button")
    yield "sign-in, wrong"
    page.fill("#password", PASSWORD)
    page.click("button")


def an_account(served: Served, page: Page) -> Iterator[str]:
    yield "account"
    act(page, "offer_mail")
    yield "account, code by mail"
    page.fill("#code", "0000-0000")
    act(page, "confirm_mail")
    yield "account, wrong code"
    page.fill("#code", served.told("mail_code", r"minutes: (\S+)"))
    act(page, "confirm_mail")
    yield "recovery codes"
    page.goto(f"{served.origin}/account")
    act(page, "offer_factor")
    yield "account, QR code"
    secret = page.inner_text(".secret")
    page.fill("#code", code_of(secret))
    act(page, "confirm_factor")
    page.goto(f"{served.origin}/account")
    page.fill("#name", "backup")
    act(page, "make_key")
    yield "account, key made"
    page.fill("#pw-old", OTHER)
    page.fill("#pw-new", OTHER)
    act(page, "password")
    yield "account, wrong password"
    page.select_option("#text_size", "larger")
    act(page, "prefer")
    yield "account, large text"
    page.select_option("#text_size", "normal")
    act(page, "prefer")
    page.click("text=Sign out")
    yield from a_second_step(served, page, secret)


def a_second_step(served: Served, page: Page, secret: str) -> Iterator[str]:
    page.fill("#identifier", "bob")
    page.fill("#password", PASSWORD)
    page.click("button")
    yield "second step"
    page.fill("#code", "000000")
    page.click("text=Go on")
    yield "second step, wrong"
    page.click("text=Send me a code")
    yield "second step, sent"
    page.fill("#code", code_of(secret, 1))
    page.check("#trust")
    page.click("text=Go on")
    yield "account, trusted browser"
    page.click("text=Sign out")
    page.fill("#identifier", "bob")
    page.fill("#password", PASSWORD)
    page.click("button")
    act(page, "remove_factor")
    yield "account, prove it"
    page.goto(f"{served.origin}/_tilth/outbox")
    yield "outbox"


def every_page(served: Served, page: Page) -> Iterator[str]:
    """Goes through all of them; each time it is asked, the page is another one."""
    yield from before_an_account(served, page)
    yield from signing_in(served, page)
    yield from an_account(served, page)


def faults(page: Page) -> list[str]:
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    told = [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]
    width = page.evaluate("document.documentElement.scrollWidth")
    squeezed = page.evaluate(SQUEEZED)
    told += [f"{text}: taller than wide" for text in squeezed]
    return [*told, *([f"{width} pixels wide"] if width > NARROW["width"] else [])]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    served: Served, browser: Browser, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport=NARROW, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(15_000)

    found = {name: faults(page) for name in every_page(served, page)}
    context.close()

    assert len(found) >= 28
    assert {name: told for name, told in found.items() if told} == {}


def test_axe_would_find_something(browser: Browser) -> None:
    page = browser.new_page(viewport=NARROW)
    page.set_content("<title>x</title><input><p style='width: 900px'>wide</p>")

    found = faults(page)
    page.close()

    assert any(each.startswith("label:") for each in found), found
    assert found[-1].endswith("pixels wide")
