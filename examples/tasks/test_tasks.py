"""The commands of the README, two users who do not see each other, and the pages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import sync_playwright

from tilth.kernel.store.sync import create_missing_tables, sync_engine

from .app import Base, tasks

CHROMIUM = "/usr/bin/chromium"
HERE = Path(__file__).parent
PASSWORD = "Qwerty123"


@pytest.fixture
def app(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TILTH_ENVIRONMENT", "development")
    made = tasks(database_url)
    engine = sync_engine(database_url)
    create_missing_tables(engine, [*made.freeze().own, Base.metadata])
    engine.dispose()
    return made


@pytest.fixture
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://tasks.test") as client:
        yield client


def sign_up(client: TestClient, name: str) -> tuple[str, str]:
    body = {"username": name, "password": PASSWORD}
    assert client.post("/auth/sign_up", json=body).status_code == 201
    return (name, PASSWORD)


def test_tasks_are_added_completed_filtered_and_removed(client: TestClient) -> None:
    bob = sign_up(client, "Bob")

    added = client.post("/", json={"title": "Water the beans"}, auth=bob)
    other = client.post("/", json={"title": "Prune"}, auth=bob).json()
    done = client.patch(added.headers["location"], json={"is_done": True}, auth=bob)
    still_open = client.get("/?show=open", auth=bob).json()
    removed = client.delete(f"/{other['id']}", auth=bob)
    left = client.get("/", auth=bob).json()

    assert added.status_code == 201
    assert added.json() == {"id": 1, "title": "Water the beans", "is_done": False}
    assert (done.json()["is_done"], still_open, removed.status_code) == (True, [other], 204)
    assert left == [{"id": 1, "title": "Water the beans", "is_done": True}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"title": None}, 422),
        ({"title": "x" * 201}, 422),
        ({"title": "x", "owner_id": "1"}, 422),
        ({"title": "x", "colour": "red"}, 422),
        ([], 400),
    ],
    ids=["nothing", "null", "long", "owner", "unknown", "list"],
)
def test_what_is_no_task_is_refused(client: TestClient, body: Any, status: int) -> None:
    bob = sign_up(client, "Bob")

    assert client.post("/", json=body, auth=bob).status_code == status
    assert client.get("/", auth=bob).json() == []


def test_two_users_do_not_see_each_other(client: TestClient) -> None:
    ann, bob = sign_up(client, "Ann"), sign_up(client, "Bob")
    hers = client.post("/", json={"title": "Hers"}, auth=ann).json()["id"]

    refused = [
        client.patch(f"/{hers}", json={"is_done": True}, auth=bob).status_code,
        client.delete(f"/{hers}", auth=bob).status_code,
        client.get(f"/api/tasks/{hers}", auth=bob).status_code,
        client.post(f"/{hers}", data={"act": "remove"}, auth=bob).status_code,
    ]

    assert refused[:3] == [404, 404, 404]
    assert refused[3] in (403, 404)
    assert client.get("/", auth=bob).json() == []
    assert client.get("/api/tasks", auth=bob).json()["items"] == []
    assert len(client.get("/", auth=ann).json()) == 1
    assert client.get("/").status_code == 401


def test_people_are_led_to_sign_in_and_back(client: TestClient) -> None:
    sign_up(client, "Bob")
    html = {"accept": "text/html", "origin": "http://tasks.test"}

    led = client.get("/", headers=html, follow_redirects=False)
    fields = {"identifier": "Bob", "password": PASSWORD, "next": "/"}
    signed = client.post("/sign-in", data=fields, headers=html, follow_redirects=False)
    added = client.post("/", data={"title": "<b>Weed</b>"}, headers=html)
    nothing = client.post("/", data={"title": "x" * 201}, headers=html)

    assert led.headers["location"] == "/sign-in?next=/"
    assert signed.headers["location"] == "/"
    assert "1 task<" in added.text
    assert "&lt;b&gt;Weed" in added.text
    assert (nothing.status_code, "200" in nothing.text) == (422, True)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of `tilth dev` on a free port."""
    environment = {n: t for n, t in os.environ.items() if not n.startswith("TILTH_")}
    process = subprocess.Popen(
        [Path(sys.executable).with_name("tilth"), "dev", HERE / "app.py", "--port", "0"]
        + ["--no-reload"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        told = ""
        for line in process.stderr:
            told += line
            if found := re.search(r"OpenAPI\s+(http\S+)/openapi\.json", line):
                break
        assert found, told
        yield found[1]
        process.terminate()


def test_the_commands_of_the_readme_work_as_they_are(served: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    lines = [
        line.replace("http://127.0.0.1:5000", served)
        for line in (HERE / "README.md").read_text("utf-8").splitlines()
        if line.startswith("curl ")
    ]

    def run(line: str, **environment: str) -> str:
        return subprocess.run(
            ["bash", "-c", f"{line} --silent --show-error --fail-with-body"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    signed_up, listed, added, login = map(run, lines[:4])
    token = httpx.Response(200, text=login).json()
    again = run(lines[4], TOKEN=token["access_token"])
    bearer = {"authorization": f"Bearer {token['access_token']}"}
    key = httpx.post(f"{served}/auth/keys", json={"name": "curl"}, headers=bearer).json()["key"]
    by_key = run(lines[5], KEY=key)

    assert len(lines) == 6
    assert '"username":"Bob"' in signed_up
    assert (listed, '"title":"Learning Flask"' in added) == ("[]", True)
    assert set(token) >= {"access_token", "token_type", "expires_in", "refresh_token"}
    assert '"id":2' in again
    assert by_key.count("Learning Flask") == 2


@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed")
def test_the_pages_work_in_a_browser_without_scripts(served: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(
            java_script_enabled=False, viewport={"width": 320, "height": 640}
        ).new_page()
        page.goto(f"{served}/sign-up")
        page.fill("#username", "Bob")
        page.fill("#password", PASSWORD)
        page.click("text=Make the account")
        page.goto(served)
        page.fill("#identifier", "Bob")
        page.fill("#password", PASSWORD)
        page.click("button:has-text('Sign in')")
        page.fill("#title", "Water the beans")
        page.click("button:has-text('Add')")
        page.click("button:has-text('Done')")
        page.click("nav >> text=Open")
        nothing = page.inner_text("main")
        page.click("nav >> text=All")
        page.click("button:has-text('Remove')")
        gone = page.inner_text("h1")
        page.click("text=Sign out")
        browser_is_at = page.url
        browser.close()

    assert "Nothing here." in nothing
    assert gone == "0 tasks"
    assert browser_is_at.endswith("/sign-in")
