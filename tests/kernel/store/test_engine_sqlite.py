"""SQLite: files that come, go, are locked or are no databases; databases in memory; text."""

import asyncio
import os
import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tilth.errors import Unavailable
from tilth.kernel.store.sync import sync_engine

pytestmark = pytest.mark.anyio

COUNT = "SELECT count(*) FROM hero"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

MakeHeroes = Callable[[Any], None]


async def test_file_that_appears_later_is_read(
    sqlite_url: str, opened: Any, make_heroes: MakeHeroes
) -> None:
    database = opened(sqlite_url)
    with pytest.raises(Unavailable) as caught:
        await database.fetch(COUNT, [])

    make_heroes(sqlite_url)

    assert (caught.value.code, caught.value.detail) == (
        "database_unavailable",
        "The database file does not exist.",
    )
    assert await database.fetch(COUNT, []) == [(3,)]


async def test_missing_file_is_not_made(sqlite_url: str, opened: Any, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await opened(sqlite_url).ping()

    assert os.listdir(tmp_path) == []


async def test_file_replaced_by_another_is_read_anew(
    tmp_path: Path, opened: Any, make_heroes: MakeHeroes
) -> None:
    path, other = tmp_path / "test.db", tmp_path / "other.db"
    for each in (path, other):
        make_heroes(f"sqlite:///{each}")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("DELETE FROM hero WHERE id = 1")
        connection.commit()
    database = opened(f"sqlite:///{path}", sqlite_readers=1)
    before = await database.fetch(COUNT, [])

    other.replace(path)

    assert (before, await database.fetch(COUNT, [])) == ([(3,)], [(2,)])


def _empty_folder(path: Path) -> None:
    path.mkdir()


def _prose(path: Path) -> None:
    path.write_text("Once upon a time " * 100)


def _nothing(path: Path) -> None: ...


@pytest.mark.parametrize(
    ("make", "name", "detail"),
    [
        (_nothing, "test.db", "The database file does not exist."),
        (_nothing, "no/test.db", "The folder of the database file does not exist."),
        (_empty_folder, "test.db", "The path of the database file is a directory."),
        (_prose, "test.db", "The database file is not a SQLite database."),
    ],
)
async def test_file_that_cannot_be_read_is_told_in_one_sentence(
    make: Callable[[Path], None], name: str, detail: str, tmp_path: Path, opened: Any
) -> None:
    make(tmp_path / name)

    with pytest.raises(Unavailable) as caught:
        await opened(f"sqlite:///{tmp_path / name}").ping()

    assert (caught.value.code, caught.value.detail) == ("database_unavailable", detail)
    assert str(tmp_path) in caught.value.__notes__[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_unreadable_file_is_told_in_one_sentence(
    sqlite_url: str, tmp_path: Path, opened: Any, make_heroes: MakeHeroes
) -> None:
    make_heroes(sqlite_url)
    os.chmod(tmp_path / "test.db", 0)

    with pytest.raises(Unavailable, match="This program may not read the database file"):
        await opened(sqlite_url).ping()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_database_in_a_folder_without_the_right_to_write_is_read(
    sqlite_url: str, tmp_path: Path, opened: Any, make_heroes: MakeHeroes
) -> None:
    make_heroes(sqlite_url)
    os.chmod(tmp_path, 0o500)

    assert await opened(sqlite_url, read_only=True).fetch(COUNT, []) == [(3,)]


async def test_locked_file_is_busy_until_it_is_free(
    sqlite_url: str, tmp_path: Path, opened: Any, make_heroes: MakeHeroes
) -> None:
    make_heroes(sqlite_url)
    database = opened(sqlite_url, lock_seconds=0.1)
    with closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable) as caught:
            await database.fetch(COUNT, [])
        other.execute("ROLLBACK")

    assert (caught.value.code, caught.value.detail) == (
        "database_busy",
        "The database file is locked by another program.",
    )
    assert await database.fetch(COUNT, []) == [(3,)]


async def test_adopted_database_is_left_as_it_was(tmp_path: Path, opened: Any) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE hero (id INTEGER)")
    before = path.read_bytes()

    await opened(f"sqlite:///{path}", read_only=True).fetch(COUNT, [])

    assert (path.read_bytes(), os.listdir(tmp_path)) == (before, ["shop.db"])


async def test_readers_see_one_database_in_memory(opened: Any, make_heroes: MakeHeroes) -> None:
    database, other = opened("sqlite://", sqlite_readers=2), opened("sqlite://")
    make_heroes(database.url)

    counts = await asyncio.gather(*(database.fetch(COUNT, []) for _ in range(10)))

    assert counts == [[(3,)]] * 10
    with pytest.raises(Unavailable, match='Table "hero" does not exist'):
        await other.fetch(COUNT, [])


async def test_read_in_memory_waits_for_a_writer(opened: Any, make_heroes: MakeHeroes) -> None:
    database = opened("sqlite://")
    make_heroes(database.url)
    engine = sync_engine(database.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM hero WHERE id = 1")
        waiting = asyncio.create_task(database.fetch(COUNT, []))
        done, _ = await asyncio.wait([waiting], timeout=0.1)
    engine.dispose()

    assert (done, await waiting) == (set(), [(2,)])


async def test_invalid_text_is_read_with_replacement_characters(
    sqlite_url: str, opened: Any, make_heroes: MakeHeroes
) -> None:
    make_heroes(sqlite_url)
    database = opened(sqlite_url, sqlite_readers=1)

    broken = await database.fetch("SELECT CAST(x'4101ff42' AS TEXT)", [])

    assert broken == [("A\x01\ufffdB",)]
    assert await database.fetch("SELECT name FROM hero WHERE id = 3", []) == [("Cléo",)]


@pytest.mark.parametrize(
    ("value", "lowered"), [(None, None), (17, "17"), (b"\xc3\x89", "é"), ("ΟΔΟΣ İ", "οδοσ i")]
)
async def test_tilth_lower_takes_any_value(value: Any, lowered: Any, opened: Any) -> None:
    assert await opened("sqlite://").fetch("SELECT tilth_lower(?)", [value]) == [(lowered,)]


async def test_tilth_lower_agrees_with_postgresql(postgres_url: str, opened: Any) -> None:
    """On every character that Python's table of Unicode has; the server's is a newer one."""
    points = (chr(point) for point in range(1, 0x110000) if not 0xD800 <= point < 0xE000)
    text = "".join(character for character in points if unicodedata.category(character) != "Cn")
    with psycopg.connect(postgres_url) as connection:
        wanted = connection.execute("SELECT lower(%s)", [text]).fetchone()

    found = await opened("sqlite://").fetch("SELECT tilth_lower(?)", [text])

    assert found == [wanted]


async def test_short_read_waits_for_no_thread(
    sqlite_url: str, opened: Any, make_heroes: MakeHeroes
) -> None:
    make_heroes(sqlite_url)
    database = opened(sqlite_url, statement_seconds=30, sqlite_readers=1)
    endless = asyncio.create_task(database.fetch(ENDLESS, []))
    await asyncio.wait([endless], timeout=0)

    rows = await database.fetch(COUNT, [])

    assert (rows, endless.done()) == ([(3,)], False)
    endless.cancel()
    with pytest.raises(asyncio.CancelledError):
        await endless


async def test_long_read_leaves_the_event_loop_to_others(
    sqlite_url: str, opened: Any, make_heroes: MakeHeroes
) -> None:
    make_heroes(sqlite_url)
    database = opened(sqlite_url, statement_seconds=0.2, sqlite_readers=1)
    turns = 0

    for _ in range(2):  # the second time it is known to be long
        endless = asyncio.create_task(database.fetch(ENDLESS, []))
        while not endless.done():
            turns += 1
            await asyncio.wait([endless], timeout=0)
        assert isinstance(endless.exception(), Unavailable)

    assert turns > 100
