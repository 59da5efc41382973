"""A MariaDB server of this run, of the programs that are installed, in a temporary folder."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

import pymysql

PATIENCE_SECONDS = 60
# Durability costs time and a test database has none to lose. Time zone and language are
# deliberately odd ones: nothing may depend on the server's.
OPTIONS = (
    *("--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"),
    *("--skip-name-resolve", "--innodb-buffer-pool-size=32M", "--max-connections=100"),
    *("--default-time-zone=+05:45", "--lc-messages=de_DE", "--sql-mode="),
)


def is_installed() -> bool:
    return bool(_program("mariadbd") and _program("mariadb-install-db"))


@dataclass(frozen=True, slots=True)
class MariadbServer:
    """A running server. port: of the loopback address, where root needs no password."""

    port: int

    @contextmanager
    def new_database(self) -> Iterator[str]:
        """The URL of an empty database that sorts and compares by code point; dropped at the end."""
        name = f"test_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        try:
            yield f"mariadb://root@127.0.0.1:{self.port}/{name}"
        finally:
            self._run(f"DROP DATABASE {name}")

    def _run(self, statement: str) -> None:
        connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root")
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def running_server() -> Iterator[MariadbServer]:
    folder = Path(tempfile.mkdtemp(prefix="tilth-mariadb-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, getpwnam(user).pw_uid, -1)
    port, data = _free_port(), folder / "data"
    own = ["--no-defaults", f"--datadir={data}", *([f"--user={user}"] if user else [])]
    subprocess.run(
        [str(_program("mariadb-install-db")), *own, "--auth-root-authentication-method=normal",
         "--skip-test-db"],
        check=True,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    with (folder / "log").open("w") as log:
        # Ends with its input, which it does even when this process is killed.
        script = '"$@" & server=$!; read -r _; kill $server; wait $server; rm -rf "$0"'
        command = [
            *(str(_program("mariadbd")), *own, *OPTIONS, f"--port={port}"),
            *("--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"),
            f"--pid-file={folder / 'pid'}",
        ]
        with subprocess.Popen(
            ["sh", "-c", script, str(folder), *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process:
            _wait_for(port, process, folder / "log")
            yield MariadbServer(port)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """pymysql itself waits for an answer; until somebody listens it is refused at once."""
    for _ in range(PATIENCE_SECONDS * 10):
        assert process.poll() is None, log.read_text("utf-8")
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="root").close()
        except pymysql.OperationalError:
            try:
                process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        else:
            return
    raise AssertionError(log.read_text("utf-8"))


def _program(name: str) -> str | None:
    """Debian has the server where only root looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
