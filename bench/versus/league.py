"""The rows that every peer serves, in a database of its own for each."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, MetaData, insert, text

from tilth.kernel.store.outbox import OWN
from tilth.kernel.store.sync import create_missing_tables, sync_engine

BENCH = Path(__file__).parent.parent
TEAMS, HEROES = 1_000, 10_000
MINE = range(1, HEROES, 2)
"""Keys of the rows of the one who sends the token: every other row, half of each team."""

CITIES = ("Lowmarsh", "Great Fallow", "Saltmere", "Nine Elms", "Coldharbour", "Upper Tarn")

DURABLE = (
    *("fsync=on", "synchronous_commit=on", "shared_buffers=256MB", "max_connections=300"),
    *("listen_addresses=127.0.0.1", "unix_socket_directories=", "timezone=UTC"),
    *("max_wal_size=4GB", "checkpoint_timeout=1h", "autovacuum=off"),
)


def team_rows() -> list[dict[str, Any]]:
    return [
        {"id": key, "name": f"Team {key:04}", "city": CITIES[key % len(CITIES)]}
        for key in range(1, TEAMS + 1)
    ]


def hero_rows(count: int = HEROES) -> Iterator[dict[str, Any]]:
    chance = random.Random(7)
    for key in range(1, count + 1):
        yield {
            "id": key,
            "name": f"Hero {key:07}",
            "city": CITIES[key % len(CITIES)],
            "age": None if key % 17 == 0 else chance.randint(16, 90),
            "score": chance.randint(0, 9_999),
            "rating": chance.randint(0, 1_000) / 100,
            "is_active": key % 5 != 0,
            "joined": date(2020, 1, 1) + timedelta(days=key % 1_500),
            "owner_id": f"user-{1 if key % 2 else 2 + key % 7}",
            "team_id": (key - 1) // 2 % TEAMS + 1,
        }


def fill(url: str, heroes: int = HEROES) -> None:
    sys.path.insert(0, str(BENCH / "peers" / "tilth"))
    from models import Hero, Team

    engine = sync_engine(url)
    metadata: MetaData = Hero.metadata
    create_missing_tables(engine, [metadata, OWN])
    with engine.begin() as connection:
        connection.execute(insert(Team), team_rows())
        rows = hero_rows(heroes)
        while some := list(islice(rows, 10_000)):
            connection.execute(insert(Hero), some)
    _settle(engine)
    engine.dispose()


def _settle(engine: Engine) -> None:
    """Statistics as a database in use has them; and keys go on where the rows end."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("ANALYZE"))
            return
        for table in ("hero", "team"):
            connection.execute(
                text(f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))")
            )
        connection.execute(text("VACUUM ANALYZE"))


class SqliteDatabases:
    """A file for each peer, copied from one."""

    def __init__(self, folder: Path, heroes: int) -> None:
        self._folder = folder
        self._first = folder / "first.db"
        fill(f"sqlite:///{self._first}", heroes)

    def copy(self, name: str) -> str:
        path = self._folder / f"{name}.db"
        shutil.copy(self._first, path)
        return f"sqlite:///{path}"


class PostgresDatabases:
    """A database for each peer, copied from one by the server."""

    def __init__(self, address: str, heroes: int) -> None:
        self._address = address
        self._run("CREATE DATABASE first TEMPLATE template0 ENCODING 'UTF8'")
        fill(self._url("first"), heroes)

    def copy(self, name: str) -> str:
        self._run(f'CREATE DATABASE "{name}" TEMPLATE first')
        engine = sync_engine(self._url(name))
        _settle(engine)
        engine.dispose()
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"postgresql://{self._address}/{name}"

    def _run(self, statement: str) -> None:
        engine = sync_engine(self._url("postgres"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
        engine.dispose()


Databases = SqliteDatabases | PostgresDatabases


@contextmanager
def databases(kind: str, heroes: int = HEROES) -> Iterator[Databases]:
    """kind: "sqlite" or "postgresql". A PostgreSQL server is started, durable, and stopped."""
    with tempfile.TemporaryDirectory(prefix="tilth-bench-") as folder:
        if kind == "sqlite":
            yield SqliteDatabases(Path(folder), heroes)
            return
    sys.path.insert(0, str(BENCH.parent))
    import conftest  # the tests know how to start PostgreSQL

    place = Path(tempfile.mkdtemp(prefix="tilth-pg-"))
    with conftest._server_in(place, DURABLE) as server:
        yield PostgresDatabases(server.address, heroes)
