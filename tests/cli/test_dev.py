"""`tilth dev`: tables are made, files are watched, and what is broken is told until it is mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

Run = Callable[..., Any]
Start = Callable[..., Any]

PATIENCE_SECONDS = 60
PAGE = """

class Page(Base):
    __tablename__ = "page"
    id: Mapped[int] = mapped_column(primary_key=True)
"""

LONG = "quiet otters by the lake"
WITH_ACCOUNTS = """\
from tilth import Auth, Tilth

app = Tilth("sqlite:///notes.db", auth=Auth())
"""


def resources(base: str) -> list[str]:
    """Waits while the worker starts again: the supervisor keeps the socket open."""
    answer = httpx.get(f"{base}/api", timeout=PATIENCE_SECONDS)
    return [each["name"] for each in answer.raise_for_status().json()["resources"]]


def ends_within(seconds: float, base: str) -> bool:
    """Asks until nobody listens any more."""
    deadline = monotonic() + seconds
    while monotonic() < deadline:
        try:
            httpx.get(f"{base}/livez", timeout=seconds)
        except httpx.ConnectError:
            return True
        except httpx.TransportError:
            continue
    return False


def test_missing_tables_are_created_and_told(
    database_url: str, heroes_folder: Path, start: Start
) -> None:
    arguments = ("dev", "app.py", "--no-reload")
    with start(*arguments, cwd=heroes_folder, TILTH_DATABASE=database_url) as server:
        answer = httpx.get(f"{server.base}/api/heroes", timeout=PATIENCE_SECONDS)

    assert answer.json()["items"] == []
    assert "secret, team, hero" in server.told
    assert "development" in server.told


def test_file_with_models_only_is_served_and_searched(models_folder: Path, start: Start) -> None:
    with start("dev", "models.py", "--no-reload", cwd=models_folder) as server:
        told = server.told + server.lines_until("models and no application")
        answer = httpx.get(f"{server.base}/api/books?q=x", timeout=PATIENCE_SECONDS)

    assert answer.status_code == 200
    assert "anyone on this machine can read everything" in told


def test_changed_file_is_served_anew(models_folder: Path, start: Start) -> None:
    file = models_folder / "models.py"
    with start("dev", "models.py", cwd=models_folder) as server:
        before = resources(server.base)
        file.write_text(file.read_text() + PAGE)
        told = server.lines_until("Ready again.")
        after = resources(server.base)

    assert (before, after) == (["books"], ["books", "pages"])
    assert "models.py changed: starting again." in told
    assert "Tables created: page." in told


def test_broken_file_is_told_until_it_is_mended(models_folder: Path, start: Start) -> None:
    file = models_folder / "models.py"
    whole = file.read_text()
    with start("dev", "models.py", cwd=models_folder) as server:
        file.write_text(whole + "\nbroken\n")
        told = server.lines_until("Waiting for a change.")
        broken = httpx.get(f"{server.base}/api/books", timeout=PATIENCE_SECONDS)
        file.write_text(whole)
        server.lines_until("Ready again.")
        mended = resources(server.base)

    reason = "models.py:13: NameError: name 'broken' is not defined"
    assert reason in told
    assert broken.status_code == 503
    assert reason in broken.json()["detail"]
    assert mended == ["books"]


def test_supervisor_takes_its_worker_along(models_folder: Path, start: Start) -> None:
    with start("dev", "models.py", cwd=models_folder) as server:
        resources(server.base)
        server.process.terminate()
        code = server.process.wait(PATIENCE_SECONDS)

        with pytest.raises(httpx.ConnectError):
            resources(server.base)

    assert code == 0


def test_worker_does_not_outlive_its_supervisor(models_folder: Path, start: Start) -> None:
    with start("dev", "models.py", cwd=models_folder) as server:
        resources(server.base)
        server.process.kill()

        assert ends_within(PATIENCE_SECONDS, server.base)


def test_addresses_are_one_document_for_programs(models_folder: Path, start: Start) -> None:
    with start("dev", "models.py", "--no-reload", "--json", cwd=models_folder) as server:
        server.process.terminate()
        out, _ = server.process.communicate()

    document = json.loads(out)
    assert document["docs"] == f"{server.base}/docs"
    assert document["created_tables"] == ["book"]
    assert document["token"] is None


REFUSALS = [
    ("models.py --no-reload --host 0.0.0.0", 2, "it is served on this machine only."),
    ("models.py --host 0.0.0.0", 2, "it is served on this machine only."),
    ("models.py:app --no-reload", 1, "models.py has nothing called app."),
    ("model.py", 1, "Did you mean models.py?"),
    ("sqlite:///x.db", 1, "Serve it with: tilth serve DATABASE_URL"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSALS, ids=[r[0] for r in REFUSALS])
def test_what_cannot_be_served_is_refused(
    arguments: str, code: int, said: str, models_folder: Path, run: Run
) -> None:
    ended = run("dev", *arguments.split(), "--port", "0", cwd=models_folder)

    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_mistakes_are_told_before_serving(
    tmp_path: Path, run: Run, write: Callable[..., Path], models_folder: Path
) -> None:
    source = (models_folder / "models.py").read_text()
    exposing = 'from tilth import Tilth\n\napp = Tilth("sqlite:///x.db")\napp.expose(Book)\n'
    write(tmp_path, {"app.py": source + exposing})

    ended = run("dev", "--no-reload", "--json", "--port", "0", cwd=tmp_path)

    assert ended.code == 1
    assert [finding["code"] for finding in ended.document["findings"]] == ["policy.missing"]
    assert not (tmp_path / "x.db").exists()


def test_the_first_superuser_is_made_by_a_link_that_is_told_once(
    tmp_path: Path, start: Start, run: Run
) -> None:
    (tmp_path / "app.py").write_text(WITH_ACCOUNTS, "utf-8")
    with start("dev", "app.py", cwd=tmp_path) as server:
        told = server.told + server.lines_until("first superuser")
        outbox = httpx.get(f"{server.base}/_tilth/outbox")
        assert f"Mail     {server.base}/_tilth/outbox" in told
        assert outbox.status_code == 200
        link = re.search(r"Sign up  (\S+)", told)
        assert link, told
        assert link[1].startswith(f"{server.base}/sign-up/invited?token=")
        sent = {"token": link[1].partition("token=")[2], "username": "ann", "password": LONG}
        made = httpx.post(f"{server.base}/auth/sign-up/invited", json=sent)
        again = httpx.post(f"{server.base}/auth/sign-up/invited", json=sent | {"username": "eve"})
    with start("dev", "app.py", "--no-reload", "--json", cwd=tmp_path) as server:
        document = json.loads("".join(iter(server.process.stdout.readline, "}\n")) + "}")

    assert (made.status_code, again.status_code) == (201, 400)
    assert document["first_admin"] is None
    listed = run("user", "list", "--json", cwd=tmp_path, TILTH_ENVIRONMENT="development")
    assert [each["roles"] for each in listed.document["accounts"]] == [["superuser"]]
