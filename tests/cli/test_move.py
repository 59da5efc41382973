"""All rows move from one database to another, of either kind, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, select, text, update
from tests.cli.fleet import Base, Hero, fill, log

from tilth.kernel.store.moving.rows import checksum, rows_of
from tilth.kernel.store.sync import sync_engine

Run = Callable[..., Any]
NewDatabase = Callable[[str], str]

APP = str(Path(__file__).with_name("fleet.py"))
COUNT = 2_500
"""More than two batches."""

PAIRS = [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("postgresql", "postgresql")]


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    engine = sync_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


@pytest.fixture
def new_database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewDatabase]:
    """new_database("sqlite" or "postgresql"): the URL of an empty one."""
    names = iter("abc")
    with ExitStack() as databases:

        def new(kind: str) -> str:
            if kind == "sqlite":
                return f"sqlite:///{tmp_path / next(names)}.db"
            server = request.getfixturevalue("postgres_server")
            return str(databases.enter_context(server.new_database()))

        yield new


@pytest.fixture
def filled(new_database: NewDatabase) -> NewDatabase:
    """filled("sqlite" or "postgresql"): the URL of one with COUNT heroes."""

    def new(kind: str) -> str:
        url = new_database(kind)
        with opened(url) as connection:
            Base.metadata.create_all(connection)
            fill(connection, COUNT)
        return url

    return new


def sums(url: str) -> dict[str, tuple[int, int]]:
    """How many rows each table has, and the sum of their checksums."""
    with opened(url) as connection:
        tables = Base.metadata.sorted_tables
        rows = {t.name: connection.execute(rows_of(t)).mappings().all() for t in tables}
    return {
        name: (len(found), sum(map(checksum, map(dict, found)))) for name, found in rows.items()
    }


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_everything_arrives(
    run: Run, tmp_path: Path, filled: NewDatabase, new_database: NewDatabase, kinds: Sequence[str]
) -> None:
    source, target = filled(kinds[0]), new_database(kinds[1])

    ended = run("db", "move", source, target, "--app", APP, "--json", cwd=tmp_path)

    assert ended.code == 0, ended.err
    assert ended.document["rows"]["hero"] == COUNT
    assert sums(target) == sums(source)
    with opened(target) as connection:
        found = inspect(connection)
        references = {tuple(each["constrained_columns"]) for each in found.get_foreign_keys("hero")}
        assert references == {("mentor_id",), ("team_id",)}
        assert [each["name"] for each in found.get_indexes("hero")] == ["ix_hero_name"]
        assert not found.has_table("tilth_move")
        twice = connection.scalars(select(Hero.twice).where(Hero.id == 9)).one()
        assert twice == 18


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_the_next_row_gets_the_next_number(
    run: Run, tmp_path: Path, filled: NewDatabase, new_database: NewDatabase, kinds: Sequence[str]
) -> None:
    source, target = filled(kinds[0]), new_database(kinds[1])
    new = "INSERT INTO hero (name, worth) VALUES (:name, 1) RETURNING id"
    with opened(source) as connection:
        if kinds[0] == "postgresql":
            connection.execute(text("SELECT setval('hero_id_seq', 2500)"))
        made = connection.scalar(text(new), {"name": "gone"})
        connection.execute(text("DELETE FROM hero WHERE name = 'gone'"))

    assert run("db", "move", source, target, "--app", APP, cwd=tmp_path).code == 0

    with opened(target) as connection:
        assert connection.scalar(text(new), {"name": "next"}) == made + 1


def test_a_row_that_does_not_fit_is_named_and_the_move_goes_on_after(
    run: Run, tmp_path: Path, filled: NewDatabase, new_database: NewDatabase
) -> None:
    source, target = filled("sqlite"), new_database("postgresql")
    long, short = {"name": "x" * 41}, {"name": "x"}
    row = update(Hero).where(Hero.id == 2_002)
    with opened(source) as connection:
        connection.execute(row.values(long))

    stopped = run("db", "move", source, target, "--app", APP, cwd=tmp_path)
    with opened(target) as connection:
        kept = connection.scalar(text("SELECT count(*) FROM hero"))
    with opened(source) as connection:
        connection.execute(row.values(short))
    ended = run("db", "move", source, target, "--app", APP, "--json", cwd=tmp_path)

    assert stopped.code == 1
    assert "hero" in stopped.err
    assert "2002" in stopped.err
    assert kept == 2_000
    assert (ended.code, ended.document["was_begun"]) == (0, True)
    assert sums(target) == sums(source)


def test_what_changed_between_two_runs_is_noticed(
    run: Run, tmp_path: Path, filled: NewDatabase, new_database: NewDatabase
) -> None:
    source, target = filled("sqlite"), new_database("postgresql")
    row, other = update(Hero).where(Hero.id == 2_002), update(Hero).where(Hero.id == 1)
    with opened(source) as connection:
        connection.execute(row.values(name="x" * 41))
    run("db", "move", source, target, "--app", APP, cwd=tmp_path)
    with opened(source) as connection:
        connection.execute(row.values(name="x"))
        connection.execute(other.values(name="changed meanwhile"))

    ended = run("db", "move", source, target, "--app", APP, cwd=tmp_path)

    assert ended.code == 1
    assert "hero (2500 rows there, 2500 here)" in ended.err


def test_rows_that_refer_to_none_are_told_of(
    run: Run, tmp_path: Path, filled: NewDatabase, new_database: NewDatabase
) -> None:
    source = filled("sqlite")
    for kind in ("postgresql", "sqlite"):
        with opened(source) as connection:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
        engine = sync_engine(source)
        with engine.connect() as connection:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
            with connection.begin():
                connection.execute(update(Hero).where(Hero.id == 5).values(mentor_id=99_999))
        engine.dispose()

        ended = run("db", "move", source, new_database(kind), "--app", APP, cwd=tmp_path)

        assert ended.code == 1
        assert "refer to rows that are not there" in ended.err


def test_a_target_that_is_in_use_is_left_alone(
    run: Run, tmp_path: Path, filled: NewDatabase
) -> None:
    source, target = filled("sqlite"), filled("postgresql")
    with opened(target) as connection:
        connection.execute(log.delete())
    before = sums(target)

    ended = run("db", "move", source, target, "--app", APP, cwd=tmp_path)

    assert ended.code == 1
    assert "already has" in ended.err
    assert sums(target) == before


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_target_that_was_migrated_is_refused_until_that_is_undone(
    run: Run, tmp_path: Path, heroes_folder: Path, new_database: NewDatabase, kind: str
) -> None:
    (tmp_path / "app.py").write_text((heroes_folder / "app.py").read_text("utf-8"), "utf-8")
    source, target = new_database("sqlite"), new_database(kind)
    for url in (source, target):
        here = {"cwd": tmp_path, "TILTH_DATABASE": url}
        files = tmp_path / "migrations"
        if not files.exists():
            assert run("migrate", "new", "-m", "first", **here).code == 0
        assert run("migrate", "up", **here).code == 0
    with opened(source) as connection:
        connection.execute(text("INSERT INTO team (id, name) VALUES (1, 'a')"))

    refused = run("db", "move", source, target, "--app", "app.py", cwd=tmp_path)
    run("migrate", "down", "base", "--assured", "it is empty", cwd=tmp_path, TILTH_DATABASE=target)
    moved = run("db", "move", source, target, "--app", "app.py", cwd=tmp_path)
    status = run("migrate", "status", "--json", cwd=tmp_path, TILTH_DATABASE=target)

    assert refused.code == 1
    assert "The target has been migrated" in refused.err
    assert "tilth migrate down base" in refused.err
    assert moved.code == 0, moved.err
    assert status.document["pending"] == 0
    with opened(target) as connection:
        assert connection.scalars(text("SELECT name FROM team")).all() == ["a"]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("sqlite:///a.db", "the same database"),
        ("postgresql://me:hush@127.0.0.1:1/shop", "127.0.0.1"),
        ("mysql://x", "MySQL"),
    ],
    ids=["itself", "not there", "unknown"],
)
def test_a_target_that_cannot_be_is_told_of(
    run: Run, tmp_path: Path, target: str, told: str
) -> None:
    with opened(f"sqlite:///{tmp_path}/a.db") as connection:
        Base.metadata.create_all(connection)

    ended = run("db", "move", "sqlite:///a.db", target, "--app", APP, cwd=tmp_path)

    assert ended.code != 0
    assert "hush" not in ended.err
