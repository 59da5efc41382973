"""The databases that tests run on are fresh and agree on how text sorts."""

import asyncio
import sqlite3

import asyncpg
import psycopg

UNSORTED = "SELECT * FROM (VALUES ('b'), ('É'), ('a'), ('Z'), ('é')) AS t"


def test_postgres_database_is_empty_and_sorts_by_code_point(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        ordered = connection.execute(f"{UNSORTED} ORDER BY 1").fetchall()

    assert tables == []
    assert ordered == sqlite3.connect(":memory:").execute(f"{UNSORTED} ORDER BY 1").fetchall()


def test_postgres_lower_case_is_unicode_lower_case(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        lowered = connection.execute("SELECT lower('ÀÉÎØЖ')").fetchone()

    assert lowered == ("àéîøж",)


def test_postgres_url_works_with_asyncpg(postgres_url: str) -> None:
    async def answer() -> object:
        connection = await asyncpg.connect(postgres_url)
        try:
            return await connection.fetchval("SELECT 6 * 7")
        finally:
            await connection.close()

    assert asyncio.run(answer()) == 42


def test_database_url_is_given_for_both(database_url: str) -> None:
    assert database_url.split(":")[0] in {"sqlite", "postgresql"}
