"""Revisions are applied whole or not at all, once, and nothing is lost on the way."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
)
from tests.cli.conftest import COMMAND, clean_environment
from tests.runtime.migrate.conftest import Tried, Trying

from tilth.errors import SetupError, TilthError

APP = """\
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tilth import Policy, Tilth, public


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))


app = Tilth()
app.expose(Team, Policy(read=public))
"""

ADD = "op.add_column('team', sa.Column('age', sa.Integer()))"


def team(*columns: Column[object]) -> MetaData:
    metadata = MetaData()
    Table("team", metadata, Column("id", Integer, primary_key=True), *columns)
    return metadata


def command(folder: Path, database_url: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {"TILTH_DATABASE": database_url, "TILTH_ENVIRONMENT": "development"}
    return subprocess.Popen(
        [*COMMAND, "migrate", *arguments],
        cwd=folder,
        env=clean_environment(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ten_processes_at_once_all_succeed_and_apply_once(
    tmp_path: Path, database_url: str, trying: Trying
) -> None:
    (tmp_path / "app.py").write_text(APP, "utf-8")
    first = command(tmp_path, database_url, "new", "-m", "first")
    told = first.communicate()
    assert first.returncode == 0, told

    running = [command(tmp_path, database_url, "up") for _ in range(10)]
    ended = [(each.communicate(), each.returncode) for each in running]

    assert [code for _, code in ended] == [0] * 10, ended
    assert sum("first" in out for (out, _), _ in ended) == 1
    rows = trying(database_url).rows("SELECT count(*) FROM tilth_migration")
    assert rows == [(1,)]


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_process_that_is_killed_leaves_the_old_schema_and_the_next_goes_on(
    tmp_path: Path, database_url: str, trying: Trying, at: str
) -> None:
    (tmp_path / "app.py").write_text(APP, "utf-8")
    for arguments in (("new", "-m", "first"), ("up",)):
        each = command(tmp_path, database_url, *arguments)
        told = each.communicate()
        assert each.returncode == 0, told
    killed = "import os; os.kill(os.getpid(), 9)"
    lines = [killed, ADD] if at == "before" else [ADD, killed]
    tried = trying(database_url, team(Column("name", String(40), nullable=False)))
    path = tried.write("\n".join(lines), "op.drop_column('team', 'age')")
    whole = tried.shape

    stopped = command(tmp_path, database_url, "up")
    stopped.communicate()
    between = tried.shape
    path.write_text(path.read_text("utf-8").replace(killed, "pass"), "utf-8")
    command(tmp_path, database_url, "check", "--seal").communicate()
    again = command(tmp_path, database_url, "up")
    told = again.communicate()

    assert stopped.returncode == -9
    assert between == whole
    assert again.returncode == 0, told
    assert tried.shape.tables["team"].column("age") is not None


# Only SQLite rebuilds tables.
def test_a_rebuilt_table_keeps_children_triggers_collations_and_indexes(
    sqlite_url: str, trying: Trying
) -> None:
    def models(*more: Column[object]) -> MetaData:
        metadata = team(Column("name", String(40)), *more)
        Table(
            "hero",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("team_id", ForeignKey("team.id", ondelete="CASCADE")),
        )
        return metadata

    tried = trying(sqlite_url, models())
    tried.new()
    tried.up()
    tried.run(
        "DROP TABLE hero",
        "DROP TABLE team",
        "CREATE TABLE team (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(40) COLLATE NOCASE)",
        "CREATE TABLE hero (id INTEGER NOT NULL PRIMARY KEY,"
        " team_id INTEGER REFERENCES team (id) ON DELETE CASCADE)",
        "CREATE INDEX lower_name ON team (lower(name))",
        "CREATE TABLE seen (id INTEGER)",
        "CREATE TRIGGER t AFTER DELETE ON team BEGIN INSERT INTO seen VALUES (old.id); END",
        "INSERT INTO team VALUES (1, 'Ana'), (7, 'Bob')",
        "DELETE FROM team WHERE id = 7",
        "INSERT INTO hero VALUES (1, 1), (2, 1)",
    )
    tried.write("op.alter_column('team', 'name', type_=sa.String(80), nullable=False)")

    tried.up(assured="a test")

    assert tried.rows("SELECT * FROM hero") == [(1, 1), (2, 1)]
    assert tried.rows("SELECT id FROM seen") == [(7,)]
    assert tried.rows("SELECT count(*) FROM team WHERE name = 'ANA'") == [(1,)]
    names = tried.rows(
        "SELECT name FROM sqlite_master WHERE name IN ('lower_name', 't') ORDER BY 1"
    )
    assert names == [("lower_name",), ("t",)]
    tried.run("INSERT INTO team (name) VALUES ('Cleo')")
    assert tried.rows("SELECT max(id) FROM team") == [(8,)]


REFUSED = {
    "drop_column": ("op.drop_column('team', 'name')", "3 values"),
    "drop_table": ("op.drop_table('team')", "3 rows"),
    "required_column": (
        "op.add_column('team', sa.Column('age', sa.Integer(), nullable=False))",
        "3 rows",
    ),
    "null_values": (
        "op.alter_column('team', 'name', existing_type=sa.String(40), nullable=False)",
        "1 row",
    ),
    "narrowing": ("op.alter_column('team', 'name', type_=sa.String(2))", "3 values"),
    "duplicates": ("op.create_unique_constraint('uq', 'team', ['size'])", "1 value"),
    "violations": ("op.create_check_constraint('ck', 'team', 'size > 5')", "2 rows"),
}
"""Code of what would lose or fail → the operation, and the figure it is told with."""


@pytest.mark.parametrize("code", REFUSED)
def test_what_would_lose_values_or_fail_is_refused_with_a_figure(
    database_url: str, trying: Trying, code: str
) -> None:
    up, figure = REFUSED[code]
    tried = trying(database_url, team(Column("name", String(40)), Column("size", Integer)))
    tried.new()
    tried.up()
    values = "(1, 'Ana', 5), (2, 'Bob', 5), (3, 'Cleo', 9)"
    tried.run(f"INSERT INTO team (id, name, size) VALUES {values}")
    if code == "null_values":
        tried.run("UPDATE team SET name = NULL WHERE id = 3")
    tried.write(up)
    before = tried.shape

    with pytest.raises(TilthError) as raised:
        tried.up()

    assert f"migrate.{code}" in str(raised.value)
    assert figure in str(raised.value)
    assert tried.shape == before


def test_what_is_refused_can_be_assured(database_url: str, trying: Trying) -> None:
    tried = trying(database_url, team(Column("name", String(40))))
    tried.new()
    tried.up()
    tried.run("INSERT INTO team VALUES (1, 'Ana')")
    tried.write("with assured('nobody reads it'):\n        op.drop_column('team', 'name')")
    path = tried.history.scripts[-1].path
    source = Path(path).read_text("utf-8")
    Path(path).write_text(f"from tilth.migrate import assured\n{source}", "utf-8")

    tried.up(assured="a test")

    assert tried.shape.tables["team"].column("name") is None


Break = Callable[[Tried], object]


def missing(tried: Tried) -> None:
    Path(sorted(tried.project.folder.glob("*.py"))[0]).unlink()


def circular(tried: Tried) -> None:
    history = tried.history
    first = Path(sorted(tried.project.folder.glob("*.py"))[0])
    last = history.scripts[0].revision
    first.write_text(
        first.read_text("utf-8").replace("down_revision = None", f"down_revision = {last!r}"),
        "utf-8",
    )


def twice(tried: Tried) -> None:
    first = sorted(tried.project.folder.glob("*.py"))[-1]
    first.with_name("copy.py").write_text(first.read_text("utf-8"), "utf-8")


def unreadable(tried: Tried) -> None:
    sorted(tried.project.folder.glob("*.py"))[-1].write_text("def upgrade(:\n", "utf-8")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (missing, "migrate.missing"),
        (circular, "migrate.cycle"),
        (twice, "migrate.duplicate"),
        (unreadable, "migrate.broken_file"),
    ],
    ids=["missing", "circular", "twice", "unreadable"],
)
def test_a_broken_history_is_named_by_file_and_nothing_is_done(
    sqlite_url: str, trying: Trying, spoil: Break, code: str
) -> None:
    tried = trying(sqlite_url, team(Column("name", String(40))))
    tried.new()
    tried.with_models(team(Column("name", String(40)), Column("size", Integer))).new()
    spoil(tried)

    with pytest.raises(SetupError) as raised:
        tried.up()

    assert code in str(raised.value)
    assert ".py" in str(raised.value)
    assert tried.shape.tables == {}


def test_a_file_that_was_changed_after_it_was_applied_is_named(
    database_url: str, trying: Trying
) -> None:
    tried = trying(database_url, team(Column("name", String(40))))
    tried.new()
    tried.up()
    path = Path(tried.history.scripts[0].path)
    path.write_text(path.read_text("utf-8") + "\n# changed\n", "utf-8")
    tried.write("pass")

    with pytest.raises(SetupError) as raised:
        tried.up()

    assert "migrate.edited" in str(raised.value)
    assert path.name in str(raised.value)


INI = """\
[alembic]
script_location = alembic
sqlalchemy.url = sqlite:///ignored.db
"""

REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {parent!r}


def upgrade():
    {up}


def downgrade():
    {down}
"""


def test_a_project_of_alembic_goes_on_as_it_is(tmp_path: Path, database_url: str) -> None:
    """Thirty revisions with a branch that was merged, of which the database has the first ten."""
    versions = tmp_path / "alembic" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "app.py").write_text(APP, "utf-8")
    (tmp_path / "alembic.ini").write_text(INI, "utf-8")
    (tmp_path / "alembic" / "env.py").write_text("raise SystemExit('not asked')", "utf-8")
    parents: list[str | tuple[str, ...] | None] = [None, *(f"r{n}" for n in range(28))]
    parents[16], parents[20] = "r14", ("r15", "r19")
    parents += [f"r{len(parents) - 1}"]
    for number, parent in enumerate(parents):
        table = f"old{number}"
        up = f"op.create_table({table!r}, sa.Column('id', sa.Integer(), primary_key=True))"
        text = REVISION.format(
            revision=f"r{number}", parent=parent, up=up, down=f"op.drop_table({table!r})"
        )
        (versions / f"{number:02}.py").write_text(text, "utf-8")

    first, rest = (command(tmp_path, database_url, *a) for a in (("up", "r9"), ("status",)))
    told = first.communicate(), rest.communicate()
    up = command(tmp_path, database_url, "up")
    ended = up.communicate()
    new = command(
        tmp_path, database_url, "new", "-m", "mine", *(f"--drop=old{n}" for n in range(30))
    )
    written = new.communicate()

    assert (first.returncode, up.returncode) == (0, 0), (told, ended)
    assert new.returncode == 0, written
    assert len(list(versions.glob("*.py"))) > 30
