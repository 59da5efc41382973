"""The synchronous engine: how it connects, what it makes, and what it says when it cannot."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
    cast,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from tilth.errors import SetupError
from tilth.kernel.store.sync import (
    create_missing_tables,
    explain_connection_error,
    missing_tables,
    sync_engine,
)

METADATA = MetaData()
TEAM = Table("team", METADATA, Column("id", Integer, primary_key=True))
HERO = Table(
    "hero",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("team_id", ForeignKey("team.id")),
    Column("joined", DateTime(timezone=True)),
)


@contextmanager
def engine_of(url: Any, *, read_only: bool = False) -> Iterator[Engine]:
    engine = sync_engine(url, read_only=read_only)
    try:
        yield engine
    finally:
        engine.dispose()


def test_missing_tables_are_made_once_and_named_in_order(database_url: str) -> None:
    with engine_of(database_url) as engine:
        before = missing_tables(engine, [HERO, TEAM])
        made = [create_missing_tables(engine, [METADATA]) for _ in range(2)]
        after = missing_tables(engine, [HERO, TEAM])

    assert (before, made, after) == (["hero", "team"], [["team", "hero"], []], [])


def test_time_with_a_zone_is_stored_as_the_same_instant(database_url: str) -> None:
    midnight = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    with engine_of(database_url) as engine:
        create_missing_tables(engine, [METADATA])
        with engine.begin() as connection:
            connection.execute(HERO.insert(), {"id": 1, "joined": midnight})
            stored = connection.execute(select(cast(HERO.c.joined, Text))).scalar_one()
            found = select(func.count()).where(HERO.c.joined == midnight)
            assert connection.execute(found).scalar_one() == 1

    assert stored.startswith("2025-12-31 22:00:00")


def test_sqlite_connection_is_durable_and_keeps_foreign_keys(sqlite_url: str) -> None:
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")

    with engine_of(sqlite_url) as engine, engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert found == ["wal", 2, 1, 5000]


def test_sqlite_writers_wait_for_each_other(sqlite_url: str) -> None:
    def add_one(engine: Engine) -> None:
        with engine.begin() as connection:
            last = connection.execute(select(func.coalesce(func.max(TEAM.c.id), 0))).scalar_one()
            connection.execute(TEAM.insert(), {"id": last + 1})

    with engine_of(sqlite_url) as engine, ThreadPoolExecutor(4) as threads:
        create_missing_tables(engine, [METADATA])
        list(threads.map(add_one, [engine] * 40))
        with engine.connect() as connection:
            assert connection.execute(select(func.max(TEAM.c.id))).scalar_one() == 40


def test_read_only_engine_changes_nothing(database_url: str) -> None:
    with engine_of(database_url) as engine:
        create_missing_tables(engine, [METADATA])

    with engine_of(database_url, read_only=True) as engine:
        with pytest.raises(SQLAlchemyError) as caught, engine.begin() as connection:
            connection.execute(TEAM.insert(), {"id": 1})
        with engine.connect() as connection:
            assert connection.execute(select(TEAM.c.id)).all() == []

    told = explain_connection_error(caught.value, database_url)
    assert told.message.endswith(": The database is read-only.")


def test_postgres_session_is_in_utc(postgres_url: str) -> None:
    with engine_of(postgres_url) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW timezone").scalar() == "UTC"


def failure_to_connect(url: Any) -> Exception:
    with (
        engine_of(url, read_only=True) as engine,
        pytest.raises(SQLAlchemyError) as caught,
        engine.connect(),
    ):
        pass
    return caught.value


def _make_nothing(path: Path) -> None: ...


def _make_folder(path: Path) -> None:
    path.mkdir()


def _make_prose(path: Path) -> None:
    path.write_text("Once upon a time " * 100)


@pytest.mark.parametrize(
    ("make", "name", "told"),
    [
        (_make_nothing, "test.db", "The database file does not exist."),
        (_make_nothing, "no/test.db", "The folder of the database file does not exist."),
        (_make_folder, "test.db", "The path of the database file is a directory."),
        (_make_prose, "test.db", "The database file is not a SQLite database."),
    ],
)
def test_sqlite_file_that_cannot_be_used_is_explained(
    make: Callable[[Path], None], name: str, told: str, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / name}"
    make(tmp_path / name)

    explained = explain_connection_error(failure_to_connect(url), url)

    assert explained.message == f"{url}: {told}"
    assert explained.hint


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"password": "wrong"}, "The database server refuses the user name or the password."),
        ({"database": "no_such"}, "The database does not exist on its server."),
        (
            {"port": 1},
            "The database server cannot be reached: the connection is refused or was cut.",
        ),
        ({"host": "db.invalid"}, "The host name of the database is not known."),
        (
            {"query": {"sslmode": "require"}},
            "The database server offers no encrypted connection, but the database URL demands one.",
        ),
        ({"query": {"colour": "red"}}, 'invalid connection option "colour"'),
    ],
)
def test_postgres_that_cannot_be_used_is_explained(
    change: Any, told: str, postgres_url: str
) -> None:
    url = make_url(postgres_url).set(**change)

    explained = explain_connection_error(failure_to_connect(url), url)

    label = url.set(query={}).render_as_string(hide_password=True)
    assert explained.message == f"{label}: {told}"


def test_url_of_another_kind_is_explained() -> None:
    with pytest.raises(SetupError) as caught:
        sync_engine("oracle://me:secret@h/shop")

    explained = explain_connection_error(caught.value, "oracle://me:secret@h/shop")

    assert explained.message == "Tilth cannot use 'oracle' databases."
