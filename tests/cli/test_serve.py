"""`tilth serve`: an application, or a database with no code; nothing in it is ever changed."""

from __future__ import annotations

import re
import socket
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

Run = Callable[..., Any]
Start = Callable[..., Any]

TABLES = """
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE album (id INTEGER PRIMARY KEY, title TEXT, artist_id INTEGER REFERENCES artist (id));
INSERT INTO artist VALUES (1, 'A'), (2, 'B'), (3, 'C');
INSERT INTO album VALUES (1, 'First', 1), (2, 'Second', 1);
"""
PATIENCE_SECONDS = 120


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=PATIENCE_SECONDS, headers={"connection": "close"}) as client:
        yield client


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a database, shop.db."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection:
        connection.executescript(TABLES)
    return tmp_path


def test_adopted_database_answers_whoever_has_the_token(
    shop: Path, start: Start, client: httpx.Client
) -> None:
    with start("serve", "sqlite:///shop.db", cwd=shop) as server:
        told = server.told + server.lines_until("Try")
        token = re.search(r"Token +(\S+)", told)
        assert token is not None, told
        address = f"{server.base}/api/albums?expand=artist&limit=1"
        stranger = client.get(address)
        holder = client.get(address, headers={"authorization": f"Bearer {token[1]}"})

    assert stranger.status_code == 401
    assert holder.json()["items"] == [
        {"id": 1, "title": "First", "artist_id": 1, "artist": {"id": 1, "name": "A"}}
    ]
    assert told.count(token[1]) == 2
    assert f'curl -H "Authorization: Bearer {token[1]}" "{server.base}/api/albums?limit=3"' in told


def test_public_database_answers_anyone(
    database_url: str, tmp_path: Path, start: Start, client: httpx.Client
) -> None:
    fill(database_url)

    with start("serve", database_url, "--public", cwd=tmp_path) as server:
        names = [row["name"] for row in client.get(f"{server.base}/api/artists").json()["items"]]

    assert names == ["A", "B", "C"]
    assert "Token" not in server.told


def test_another_schema_is_served_when_asked_for(
    postgres_url: str, tmp_path: Path, start: Start, client: httpx.Client
) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE SCHEMA crm CREATE TABLE lead (id INTEGER PRIMARY KEY)")

    with start("serve", postgres_url, "--public", "--schema", "crm", cwd=tmp_path) as server:
        listed = client.get(f"{server.base}/api").json()["resources"]

    assert listed == [{"name": "leads", "href": "/api/leads"}]


def test_addresses_are_one_document_for_programs(shop: Path, start: Start) -> None:
    with start("serve", "sqlite:///shop.db", "--json", cwd=shop) as server:
        server.process.terminate()
        out, err = server.process.communicate()

    document = json_of(out)
    assert document["api"] == f"{server.base}/api"
    assert document["resources"] == ["albums", "artists"]
    assert document["token"] in document["curl"]
    assert document["token"] not in server.told + err


def test_workers_understand_each_others_cursors(
    shop: Path, start: Start, client: httpx.Client
) -> None:
    arguments = ("serve", "sqlite:///shop.db", "--public", "--workers", "2")
    with start(*arguments, cwd=shop) as server:
        # Each request is a new connection, which either worker may take.
        found = [
            list(rows_over_pages(client, server.base, "/api/artists?limit=1")) for _ in range(8)
        ]

    assert found == [["A", "B", "C"]] * 8


def test_application_is_served_with_its_policies(
    heroes_folder: Path, start: Start, run: Run, client: httpx.Client
) -> None:
    with closing(sqlite3.connect(heroes_folder / "heroes.db")) as connection:
        connection.executescript(
            "CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE secret (id INTEGER PRIMARY KEY, text TEXT);"
            "CREATE TABLE hero (id INTEGER PRIMARY KEY, name TEXT, age INTEGER, email TEXT,"
            " owner_id TEXT, team_id INTEGER);"
            "INSERT INTO hero (id, name, age) VALUES (1, 'Child', 9), (2, 'Woman', 30);"
        )
    made = run("create-tables", "app.py", "--json", cwd=heroes_folder)
    again = run("create-tables", "app.py", cwd=heroes_folder)

    assert [name.partition("_")[0] for name in made.document["created"]] == ["tilth"] * 4
    assert (again.code, again.out) == (0, "")
    with start("serve", "app.py", cwd=heroes_folder) as server:
        items = client.get(f"{server.base}/api/heroes").json()["items"]
        secrets = client.get(f"{server.base}/api/secrets")

    assert [row["name"] for row in items] == ["Woman"]
    assert secrets.status_code == 401
    assert "production" in server.told


@dataclass(frozen=True, slots=True)
class Refusal:
    arguments: str
    code: int
    said: tuple[str, ...]


REFUSALS = [
    Refusal("app.py", 1, ("heroes.db: The database file does not exist.", "tilth create-tables")),
    Refusal("models.py", 1, ("models.py has models and no application.",)),
    Refusal("app.py --public --schema x", 2, ("--public and --schema: only for a database",)),
    Refusal("sqlite:///none.db", 1, ("sqlite:///none.db: The database file does not exist.",)),
    Refusal("sqlite:///text.db", 1, ("sqlite:///text.db: ", "not a SQLite database")),
    Refusal("text.db", 1, ("text.db is not a Python file.", "tilth serve sqlite:///text.db")),
    Refusal("oracle://me:secret@host/shop", 1, ("Tilth cannot use 'oracle' databases.",)),
    Refusal("sqlite:///shop.db --host 192.0.2.1", 1, ("192.0.2.1 is no address of this machine",)),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.arguments)
def test_what_cannot_be_served_is_refused(
    refusal: Refusal, shop: Path, heroes_folder: Path, run: Run, write: Callable[..., Path]
) -> None:
    files = {name: (heroes_folder / name).read_text() for name in ("app.py", "models.py")}
    write(shop, {**files, "text.db": "This is no database. " * 100})

    ended = run("serve", *refusal.arguments.split(), cwd=shop)

    assert (ended.code, ended.out) == (refusal.code, "")
    assert [part for part in refusal.said if part not in ended.err] == []
    assert "Traceback" not in ended.err
    assert "secret" not in ended.err


def test_missing_tables_are_told_and_not_made(
    database_url: str, tmp_path: Path, heroes_folder: Path, run: Run, write: Callable[..., Path]
) -> None:
    write(tmp_path, {"app.py": (heroes_folder / "app.py").read_text()})
    fill(database_url)

    ended = run("serve", "app.py", cwd=tmp_path, TILTH_DATABASE=database_url)

    assert ended.code == 1
    assert "has no table team, hero, secret, tilth_accepted, " in ended.err
    assert "tilth create-tables app.py" in ended.err
    assert tables_of(database_url) == {"artist", "album"}


def test_server_that_is_down_is_one_sentence(shop: Path, run: Run) -> None:
    ended = run("serve", "postgresql://me:secret@127.0.0.1:1/shop", cwd=shop)

    assert ended.code == 1
    assert "The database server cannot be reached" in ended.err
    assert "secret" not in ended.err


def test_taken_port_is_told_and_another_offered(shop: Path, run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        ended = run("serve", "sqlite:///shop.db", "--port", str(port), cwd=shop)

    assert ended.code == 1
    assert f"Port {port} on 127.0.0.1 is taken by another program." in ended.err
    assert re.search(r"--port \d+", ended.err)


def fill(url: str) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(TABLES)
    else:
        with psycopg.connect(url) as connection:
            connection.execute(TABLES.encode())


def tables_of(url: str) -> set[str]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    with psycopg.connect(url) as connection:
        return {
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            )
        }


def rows_over_pages(client: httpx.Client, base: str, path: str | None) -> Iterator[str]:
    while path is not None:
        page: Mapping[str, Any] = client.get(base + path).raise_for_status().json()
        yield from (row["name"] for row in page["items"])
        path = page["next"]


def json_of(text: str) -> Any:
    return httpx.Response(200, text=text).json()
