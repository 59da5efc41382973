"""PostgreSQL: refused connections, lost ones, poolers, locks, and the session Tilth asks for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import URL, make_url

from tilth.errors import Unavailable

pytestmark = pytest.mark.anyio

COUNT = "SELECT count(*) FROM hero"


@pytest.fixture
def heroes(postgres_url: str, make_heroes: Callable[[Any], None]) -> URL:
    make_heroes(postgres_url)
    return make_url(postgres_url)


def run(url: URL, *statements: str) -> None:
    address = url.render_as_string(hide_password=False)
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


REFUSED = "The database server cannot be reached: the connection is refused or was cut."
NO_PASSWORD = "The database server refuses the user name or the password."


@pytest.mark.parametrize(
    ("change", "code", "detail"),
    [
        ({"password": "wrong-secret"}, "database_unavailable", NO_PASSWORD),
        ({"username": "nobody"}, "database_unavailable", NO_PASSWORD),
        (
            {"database": "no_such"},
            "database_unavailable",
            "The database does not exist on its server.",
        ),
        ({"port": 1}, "database_unavailable", REFUSED),
        (
            {"host": "db.invalid"},
            "database_unavailable",
            "The host name of the database is not known.",
        ),
        (
            {"query": {"sslmode": "require"}},
            "database_unavailable",
            "The database server offers no encrypted connection, but the database URL demands one.",
        ),
        (
            {"username": "late", "password": "late-secret"},
            "database_busy",
            "The database server has no connection left.",
        ),
    ],
)
async def test_refused_connection_is_told_in_one_sentence_without_secrets(
    change: Any, code: str, detail: str, heroes: URL, opened: Any
) -> None:
    run(
        heroes,
        "DROP ROLE IF EXISTS late",
        "CREATE ROLE late LOGIN PASSWORD 'late-secret' CONNECTION LIMIT 0",
    )
    url = heroes.set(**change)

    with pytest.raises(Unavailable) as caught:
        await opened(url).ping()

    told = f"{caught.value!r} {caught.value.__notes__} {caught.value.__cause__!r}"
    assert (caught.value.code, caught.value.detail) == (code, detail)
    assert str(url.password) not in told


@asynccontextmanager
async def relay(to: URL, port: int = 0) -> AsyncIterator[int]:
    """A way to the server that can be cut: gives its port; at the end every connection breaks."""
    streams: list[asyncio.StreamWriter] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(to.host, to.port)
        streams.extend((writer, there_writer))
        copies = copy(reader, there_writer), copy(there_reader, writer)
        await asyncio.gather(*copies, return_exceptions=True)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for stream in streams:
            stream.transport.abort()
        await server.wait_closed()


async def test_server_that_goes_and_comes_back_is_read_again(heroes: URL, opened: Any) -> None:
    async with relay(heroes) as port:
        database = opened(heroes.set(port=port), pool_size=3)
        await asyncio.gather(*(database.fetch(COUNT, []) for _ in range(3)))
    with pytest.raises(Unavailable) as caught:
        await database.fetch(COUNT, [])
    async with relay(heroes, port):
        rows = await database.fetch(COUNT, [])

    assert (caught.value.code, caught.value.detail) == ("database_unavailable", REFUSED)
    assert rows == [(3,)]


async def test_kept_connection_that_died_is_replaced_unnoticed(heroes: URL, opened: Any) -> None:
    database = opened(heroes, pool_size=3)
    slow = "SELECT pg_sleep(0.05)::text"
    await asyncio.gather(*(database.fetch(slow, []) for _ in range(3)))

    run(
        heroes,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tilth'",
    )

    assert await asyncio.gather(*(database.fetch(COUNT, []) for _ in range(3))) == [[(3,)]] * 3


async def test_read_goes_on_after_a_change_of_the_schema(heroes: URL, opened: Any) -> None:
    database = opened(heroes, pool_size=1)
    before = await database.fetch("SELECT * FROM hero WHERE id = 1", [])

    run(heroes, "ALTER TABLE hero ADD COLUMN age integer")

    after = await database.fetch("SELECT * FROM hero WHERE id = 1", [])
    assert (before, after) == ([(1, "Ann")], [(1, "Ann", None)])


@pytest.mark.parametrize("pooler", [False, True])
async def test_session_does_not_depend_on_the_server(
    pooler: bool, heroes: URL, opened: Any
) -> None:
    database = opened(heroes, pooler=pooler, statement_seconds=4, lock_seconds=3)
    names = ("timezone", "intervalstyle", "bytea_output", "statement_timeout", "lock_timeout")

    [row] = await database.fetch(
        "SELECT current_setting('transaction_read_only'), "
        + ", ".join(f"current_setting('{name}')" for name in names),
        [],
    )

    assert row == ("on", "UTC", "iso_8601", "hex", "4s", "3s")


async def test_pooled_connection_keeps_nothing_of_a_read(heroes: URL, opened: Any) -> None:
    """A pooler may hand the same session to another program next."""
    database = opened(heroes, pooler=True, pool_size=1)
    await database.fetch(COUNT, [])
    with pytest.raises(Unavailable):
        await database.fetch("SELECT id FROM villain", [])

    address = heroes.render_as_string(hide_password=False)
    with closing(psycopg.connect(address)) as connection:
        state = connection.execute(
            "SELECT state, (SELECT count(*) FROM pg_prepared_statements) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        ).fetchall()

    assert state == [("idle", 0)]


@pytest.mark.parametrize("pooler", [False, True])
async def test_pooled_read_that_fails_leaves_its_connection_usable(
    pooler: bool, heroes: URL, opened: Any
) -> None:
    database = opened(heroes, pooler=pooler, pool_size=1)

    with pytest.raises(Unavailable):
        await database.fetch("SELECT id FROM villain", [])

    assert await database.fetch(COUNT, []) == [(3,)]


async def test_locked_table_is_busy(heroes: URL, opened: Any) -> None:
    database = opened(heroes, lock_seconds=0.1)
    address = heroes.render_as_string(hide_password=False)
    with closing(psycopg.connect(address)) as migration:
        migration.execute("LOCK TABLE hero IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(Unavailable) as caught:
            await database.fetch(COUNT, [])

    assert (caught.value.code, caught.value.detail) == (
        "database_busy",
        "A table is locked by another transaction, such as a migration.",
    )


async def test_missing_right_to_read_is_told(heroes: URL, opened: Any) -> None:
    run(
        heroes,
        "DROP ROLE IF EXISTS guest",
        "CREATE ROLE guest LOGIN PASSWORD 'guest'",
    )

    with pytest.raises(Unavailable) as caught:
        await opened(heroes.set(username="guest", password="guest")).fetch(COUNT, [])

    assert (caught.value.code, caught.value.detail) == (
        "database_schema",
        "The database user lacks a right that the application needs.",
    )


async def test_connections_are_closed_when_the_database_is(heroes: URL, opened: Any) -> None:
    database = opened(heroes)
    reading = asyncio.create_task(database.fetch("SELECT pg_sleep(0.2)::text", []))
    await database.fetch(COUNT, [])

    await database.close()
    await reading
    await database.close()

    address = heroes.render_as_string(hide_password=False)
    with closing(psycopg.connect(address)) as connection:
        left = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tilth'"
            " AND datname = current_database()"
        ).fetchone()
    assert left == (0,)
