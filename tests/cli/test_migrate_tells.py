"""What `tilth migrate` and `tilth check` say of models that have gone on without a migration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

PAGE = """

class Page(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)


app.expose(Page, Policy(read=public))
"""


@pytest.fixture
def folder(tmp_path: Path, heroes_folder: Path, database_url: str, run: Run) -> Path:
    """An application whose one revision is applied."""
    (tmp_path / "app.py").write_text((heroes_folder / "app.py").read_text("utf-8"), "utf-8")
    for command in (("new", "-m", "first"), ("up",)):
        ended = run("migrate", *command, cwd=tmp_path, TILTH_DATABASE=database_url)
        assert ended.code == 0, ended.err
    return tmp_path


def changed(folder: Path, old: str, new: str) -> None:
    file = folder / "app.py"
    file.write_text(file.read_text("utf-8").replace(old, new), "utf-8")


def test_status_tells_that_the_models_have_gone_on(
    folder: Path, database_url: str, run: Run
) -> None:
    before = run("migrate", "status", "--json", cwd=folder, TILTH_DATABASE=database_url)
    file = folder / "app.py"
    file.write_text(file.read_text("utf-8") + PAGE, "utf-8")

    told = run("migrate", "status", cwd=folder, TILTH_DATABASE=database_url)
    document = run("migrate", "status", "--json", cwd=folder, TILTH_DATABASE=database_url).document

    assert before.document["models_differ"] == []
    assert told.code == 0
    assert "The models are not what the revisions make." in told.err
    assert "  add table: page" in told.err
    assert document["models_differ"] == ["add table: page"]


def test_check_warns_that_the_models_have_gone_on(
    folder: Path, database_url: str, run: Run
) -> None:
    before = run("check", "app.py", cwd=folder, TILTH_DATABASE=database_url)
    file = folder / "app.py"
    file.write_text(file.read_text("utf-8") + PAGE, "utf-8")

    told = run("check", "app.py", cwd=folder, TILTH_DATABASE=database_url)

    assert "migrate." not in before.out
    assert "migrate.models_differ" in told.out
    assert "add table: page" in told.out
    assert told.code == 0


def test_check_says_that_it_could_not_look(folder: Path, run: Run) -> None:
    """Of a server that is not there; a SQLite database is always to be had."""
    nowhere = "postgresql://nobody@127.0.0.1:1/none"

    told = run("check", "app.py", cwd=folder, TILTH_DATABASE=nowhere)

    assert told.code == 0
    assert "Whether the models are what the migrations make is not known" in told.err


def test_the_refusal_of_a_drop_tells_the_command_line_that_renames(
    folder: Path, database_url: str, run: Run
) -> None:
    changed(folder, "email: str | None", "address: str | None")
    changed(folder, '"email": Hero', '"address": Hero')
    arguments = ("migrate", "new", "-m", "an address", "--app", "app.py")

    refused = run(*arguments, cwd=folder, TILTH_DATABASE=database_url)
    line = next(each.strip() for each in refused.err.splitlines() if "tilth migrate new" in each)

    assert refused.code == 1
    assert line == ("tilth migrate new -m 'an address' --app app.py --rename hero.email:address")
