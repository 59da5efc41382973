"""Databases as other programs leave them: views that fail, columns of texts and numbers."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg
import pytest

from tilth.adoption import adopt


def run(url: str, *statements: str) -> None:
    """In the database of the URL, committed."""
    if url.startswith("sqlite"):
        connection: Any = sqlite3.connect(url.removeprefix("sqlite:///"))
    else:
        connection = psycopg.connect(url)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def told(answer: Any) -> tuple[int, str, bool]:
    return answer.status_code, answer.json()["code"], "retry-after" in answer.headers


# fmt: off
FAILING = {
    "division by zero": "SELECT id, 1 / (id - 1) AS value FROM t",
    "no number": "SELECT id, v::int AS value FROM t",
    "several rows for one": "SELECT id, (SELECT id FROM generate_series(1, 2)) AS value FROM t",
}
# fmt: on


@pytest.mark.parametrize("name", FAILING)
def test_view_that_fails_is_503_and_no_mistake_of_the_request(
    name: str, postgres_url: str, serve: Any
) -> None:
    run(
        postgres_url,
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        "INSERT INTO t VALUES (1, 'x')",
        f"CREATE VIEW failing AS {FAILING[name]}",
    )

    answer = serve(adopt(postgres_url))("/api/failings")

    assert told(answer) == (503, "database_rows", False)


def test_view_that_failed_only_after_adoption_is_503(sqlite_url: str, serve: Any) -> None:
    run(
        sqlite_url,
        "CREATE TABLE t (id INTEGER PRIMARY KEY)",
        "CREATE VIEW failing AS SELECT id, abs(id) AS value FROM t",
    )
    ask = serve(adopt(sqlite_url))

    run(sqlite_url, "INSERT INTO t VALUES (-9223372036854775808)")

    assert told(ask("/api/failings")) == (503, "database_rows", False)


def test_materialized_view_emptied_after_adoption_is_503(postgres_url: str, serve: Any) -> None:
    run(postgres_url, "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a")
    ask = serve(adopt(postgres_url))

    run(postgres_url, "REFRESH MATERIALIZED VIEW kept WITH NO DATA")

    assert told(ask("/api/kepts")) == (503, "database_rows", False)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("0A000", "database_rows"),
        ("HV000", "database_rows"),
        ("58P01", "database_rows"),
        ("P0001", "database_rows"),
        ("XX001", "database_unavailable"),
    ],
)
def test_whatever_the_database_says_of_a_row_is_503(
    state: str, code: str, postgres_url: str, serve: Any
) -> None:
    run(
        postgres_url,
        "CREATE FUNCTION broken() RETURNS int LANGUAGE plpgsql AS"
        f" $$BEGIN RAISE EXCEPTION 'secret' USING ERRCODE = '{state}'; END$$",
        "CREATE VIEW failing AS SELECT broken() AS value",
    )

    answer = serve(adopt(postgres_url))("/api/failings")

    assert told(answer)[:2] == (503, code)
    assert "secret" not in answer.text


@pytest.fixture
def mixed(sqlite_url: str, serve: Any) -> Any:
    """Table t with texts and numbers in v and in the key."""
    run(
        sqlite_url,
        "CREATE TABLE t (id NOT NULL PRIMARY KEY, v)",
        "INSERT INTO t VALUES (1, 5), ('x', 'five'), (2.5, 1.5), ('07', '5'), (4, NULL)",
    )
    return serve(adopt(sqlite_url))


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("v=5", [1, "07"]),
        ("v=1.5", [2.5]),
        ("v__ne=5", [2.5, "x"]),
        ("v__in=five,1.5", [2.5, "x"]),
        ('filter=v = "5" or v is null', [1, 4, "07"]),
        ("v__startswith=5", [1, "07"]),
        ("id=2.5", [2.5]),
        ("id=7", []),
    ],
)
def test_value_among_others_is_found_as_it_is_shown(mixed: Any, query: str, keys: Any) -> None:
    assert [row["id"] for row in mixed(f"/api/ts?{query}").json()["items"]] == keys


@pytest.mark.parametrize("key", [1, 2.5, "x", "07"])
def test_row_is_at_its_key_whatever_that_is(mixed: Any, key: Any) -> None:
    assert mixed(f"/api/ts/{key}").json()["id"] == key


def test_document_promises_no_type_where_values_are_mixed(mixed: Any) -> None:
    schemas = mixed("/openapi.json").json()["components"]["schemas"]

    [row] = (each for each in schemas.values() if "v" in each.get("properties", {}))
    assert row["properties"] == {"id": {}, "v": {}}


def test_table_that_is_inherited_from_is_paged_completely(postgres_url: str, serve: Any) -> None:
    run(
        postgres_url,
        "CREATE TABLE parent (id int PRIMARY KEY, a text)",
        "CREATE TABLE child (b text) INHERITS (parent)",
        "INSERT INTO parent VALUES (1, 'parent')",
        "INSERT INTO child VALUES (1, 'child', 'x'), (1, 'other', 'y'), (2, 'child', 'z')",
    )
    ask = serve(adopt(postgres_url))

    seen, address = [], "/api/parents?sort=id&limit=1"
    while address:
        page = ask(address).json()
        seen += [(row["id"], row["a"]) for row in page["items"]]
        address = page["next"]

    assert seen == [(1, "child"), (1, "other"), (1, "parent"), (2, "child")]
    assert ask("/api/parents/1").status_code == 404
