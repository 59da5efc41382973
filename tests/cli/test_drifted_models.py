"""Models that changed after their tables were made: what is told, followed, keeps the rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tilth.kernel.store.sync import sync_engine

Run = Callable[..., Any]

APP = """\
from sqlmodel import Field, SQLModel

from tilth import Policy, Tilth, public


class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    text: str


app = Tilth()
app.expose(Note, Policy(read=public, write=public))
"""
CHANGED = APP.replace("    text: str\n", "    text: str\n    pinned: bool | None = None\n")


def asked(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sync_engine(url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


@pytest.fixture
def tilth(tmp_path: Path, database_url: str, run: Run) -> Callable[..., Any]:
    """Runs a command beside an application whose table was made before its model changed."""

    def ran(*arguments: str) -> Any:
        return run(*arguments, cwd=tmp_path, TILTH_DATABASE=database_url)

    (tmp_path / "app.py").write_text(APP, "utf-8")
    assert ran("create-tables").code == 0
    asked(database_url, "INSERT INTO note (id, text) VALUES (1, 'kept')")
    return ran


def test_what_is_told_keeps_the_rows(
    tilth: Callable[..., Any], tmp_path: Path, database_url: str
) -> None:
    file = tmp_path / "app.py"
    file.write_text(CHANGED, "utf-8")
    told = tilth("create-tables").err

    file.write_text(APP, "utf-8")
    ended = [tilth("migrate", "new", "-m", "first"), tilth("migrate", "baseline")]
    file.write_text(CHANGED, "utf-8")
    ended += [tilth("migrate", "new", "-m", "pinned"), tilth("migrate", "up")]

    assert 'tilth migrate new -m "first"; tilth migrate baseline' in told
    assert 'tilth migrate new -m "…"; tilth migrate up' in told
    assert [each.code for each in ended] == [0, 0, 0, 0], [each.err for each in ended]
    assert asked(database_url, "SELECT id, text, pinned FROM note") == [(1, "kept", None)]


def test_first_revision_with_the_change_in_it_leads_to_the_way_on(
    tilth: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(CHANGED, "utf-8")
    tilth("migrate", "new", "-m", "first")

    assert "was there before the migrations: tilth migrate baseline" in tilth("migrate", "up").err
    assert "with the models as they were" in tilth("migrate", "baseline").err


def test_tables_are_left_to_the_migrations_where_there_are_any(
    tilth: Callable[..., Any], tmp_path: Path, database_url: str
) -> None:
    tilth("migrate", "new", "-m", "first")
    asked(database_url, "DROP TABLE note")

    made = tilth("create-tables")
    served = tilth("serve", "app.py", "--port", "0")

    assert (made.code, served.code) == (1, 1)
    assert "app.py has migrations, and only they make its tables." in made.err
    assert "Its migrations make them: tilth migrate up" in served.err
    assert asked(database_url, "SELECT count(*) FROM tilth_event") == [(0,)]
