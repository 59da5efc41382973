"""`tilth dev` where there are migrations: it makes no tables, says what is pending, and applies it at a key."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cli.conftest import COMMAND, PATIENCE_SECONDS, clean_environment, ended_in_time

Run = Callable[..., Any]
Start = Callable[..., Any]

CHANGED = """

class Page(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)


app.expose(Page, Policy(read=public))
"""


@dataclass(frozen=True, slots=True)
class Terminal:
    """What a terminal shows, and its keys."""

    number: int

    def shown_until(self, text: str) -> str:
        shown = ""
        while text not in shown:
            shown += os.read(self.number, 65536).decode()
        return shown

    def press(self, key: str) -> None:
        os.write(self.number, key.encode())


@contextmanager
def dev_on_terminal(folder: Path, database_url: str) -> Iterator[Terminal]:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, "dev", "app.py", "--port", "0"],
        cwd=folder,
        env=clean_environment({"TILTH_DATABASE": database_url, "NO_COLOR": "1"}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        with ended_in_time(process):  # type: ignore[arg-type]
            yield Terminal(ours)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        os.close(ours)


@pytest.fixture
def migrated_folder(tmp_path: Path, heroes_folder: Path, database_url: str, run: Run) -> Path:
    """An application with one revision that is not applied."""
    (tmp_path / "app.py").write_text((heroes_folder / "app.py").read_text("utf-8"), "utf-8")
    ended = run("migrate", "new", "-m", "first", cwd=tmp_path, TILTH_DATABASE=database_url)
    assert ended.code == 0, ended.err
    return tmp_path


def teams(shown: str) -> httpx.Response:
    found = re.search(r"(http\S+)/openapi\.json", shown)
    assert found is not None, shown
    return httpx.get(f"{found[1]}/api/teams", timeout=PATIENCE_SECONDS)


def test_a_key_applies_what_is_pending(migrated_folder: Path, database_url: str) -> None:
    with dev_on_terminal(migrated_folder, database_url) as terminal:
        told = terminal.shown_until("press m to apply them.")
        before = teams(told)
        terminal.press("xm")
        applied = terminal.shown_until("Ready again.")
        after = teams(told)

    assert "Pending migrations: 0001_first" in told
    assert "created" not in told
    assert before.status_code == 503
    assert "up   0001_first" in applied
    assert after.json()["items"] == []


def test_a_change_without_a_migration_is_told(
    migrated_folder: Path, database_url: str, run: Run, start: Start
) -> None:
    run("migrate", "up", cwd=migrated_folder, TILTH_DATABASE=database_url)
    file = migrated_folder / "app.py"
    file.write_text(file.read_text("utf-8") + CHANGED, "utf-8")

    with start("dev", "app.py", cwd=migrated_folder, TILTH_DATABASE=database_url) as server:
        answer = teams(f"{server.base}/openapi.json")

    assert answer.json()["items"] == []
    assert "has no page, which the models name, and no migration makes it." in server.told
    assert "tilth migrate new" in server.told


def test_without_a_terminal_it_says_the_command(
    migrated_folder: Path, database_url: str, start: Start
) -> None:
    arguments = ("dev", "app.py", "--json")
    with start(*arguments, cwd=migrated_folder, TILTH_DATABASE=database_url) as server:
        told = server.told + server.lines_until("Pending migrations")
        server.process.terminate()
        out, _ = server.process.communicate()

    assert "0001_first: apply them with tilth migrate up." in told
    document = json.loads(out)
    assert (document["created_tables"], document["pending_migrations"]) == ([], ["0001_first"])
