"""A SQLite URL → the database it names, and connections to it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from sqlalchemy.engine import URL

from tilth.kit.ids import uuid7

Stamp = tuple[int, ...]
Factory = type[sqlite3.Connection]

PARAMETERS = ("mode", "cache", "immutable", "nolock", "psow", "vfs")
"""What SQLite itself understands in a file URI (sqlite.org/uri.html); the rest is the driver's."""


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """path: absolute; for a database in memory its name, by which connections share it."""

    path: str
    parameters: Mapping[str, str]
    in_memory: bool = False

    def uri(self, **parameters: str) -> str:
        """mode: never "rwc", since a reader must not make the file it cannot find."""
        return f"file:{quote(self.path)}?{urlencode({**self.parameters, **parameters})}"

    @property
    def label(self) -> str:
        return "sqlite://" if self.in_memory else f"sqlite:///{self.path}"

    @property
    def is_read_only(self) -> bool:
        return self.parameters.get("mode") == "ro" or "immutable" in self.parameters

    def url(self) -> URL:
        """As SQLAlchemy's own drivers read it; they may write to and make a file that is ours."""
        if not self.in_memory and self.parameters == {"mode": "rw"}:
            return URL.create("sqlite", database=self.path)
        query = {**self.parameters, "uri": "true"}
        return URL.create("sqlite", database=f"file:{self.path}", query=query)


def sqlite_file_from(url: URL, *, read_only: bool = False) -> SqliteFile:
    """A relative path is taken from the working directory of now, not of the first read."""
    name = (url.database or ":memory:").removeprefix("file:")
    asked = {key: value for key, value in url.query.items() if isinstance(value, str)}
    parameters = {key: asked[key] for key in PARAMETERS if key in asked}
    if name == ":memory:" or parameters.get("mode") == "memory":
        name = f"tilth-{uuid7().hex}" if name == ":memory:" else name
        return SqliteFile(name, {"mode": "memory", "cache": "shared"}, in_memory=True)
    if read_only or parameters.get("mode") != "ro":
        parameters["mode"] = "ro" if read_only else "rw"
    return SqliteFile(os.path.abspath(name), parameters)


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A connection and the state of the file it was made for.

    is_frozen: opened as immutable, so it sees no later change and its stamp holds size and time.
    """

    connection: sqlite3.Connection
    stamp: Stamp
    is_frozen: bool = False

    def is_current(self, file: SqliteFile) -> bool:
        """The path still leads to the file that was opened. Raises OSError when it leads nowhere."""
        return file.in_memory or stamp_of(file.path, with_content=self.is_frozen) == self.stamp


def open_reader(
    file: SqliteFile, busy_seconds: float, factory: Factory = sqlite3.Connection
) -> OpenFile:
    """Raises sqlite3.Error or OSError."""
    stamp = () if file.in_memory else stamp_of(file.path)
    try:
        return OpenFile(_reader(file.uri(), busy_seconds, factory), stamp)
    except sqlite3.OperationalError as exc:
        if file.in_memory or not _is_complete_alone(file.path, exc):
            raise
    frozen = file.uri(mode="ro", immutable="1")
    stamp = stamp_of(file.path, with_content=True)
    return OpenFile(_reader(frozen, busy_seconds, factory), stamp, is_frozen=True)


def _is_complete_alone(path: str, exc: sqlite3.Error) -> bool:
    """It could not be opened only because reading in WAL mode writes a -shm file beside it.

    In a folder without the right to write, and with no changes waiting in another file, that is
    not needed: sqlite.org/wal.html#readonly.
    """
    refused = primary_code(exc) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    return refused and not has_log(path) and not os.access(os.path.dirname(path), os.W_OK)


def primary_code(exc: sqlite3.Error) -> int:
    """0 when the error is Python's own. The upper bits of SQLite's codes only say more."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF


def stamp_of(path: str, *, with_content: bool = False) -> Stamp:
    found = os.stat(path)
    identity = (found.st_dev, found.st_ino)
    if not with_content:
        return identity
    return (*identity, found.st_size, found.st_mtime_ns, int(has_log(path)))


def has_log(path: str) -> bool:
    """Changes wait in a file beside the database, which only a writer can bring in."""
    logs = (f"{path}-wal", f"{path}-journal")
    return any(os.path.exists(log) and os.path.getsize(log) > 0 for log in logs)


def _reader(uri: str, busy_seconds: float, factory: Factory) -> sqlite3.Connection:
    connection = connect(uri, busy_seconds, factory)
    try:
        # The first line reads the file: sqlite3.connect alone does not look at it.
        for line in ("schema_version", *_READER_PRAGMAS):
            connection.execute(f"PRAGMA {line}")
    except BaseException:
        connection.close()
        raise
    return connection


_READER_PRAGMAS = (
    "query_only = ON",
    "foreign_keys = ON",
    "cache_size = -16000",
    "mmap_size = 134217728",
    "temp_store = MEMORY",
)


def connect(
    uri: str, busy_seconds: float, factory: Factory = sqlite3.Connection
) -> sqlite3.Connection:
    """In autocommit, with Tilth's functions; `timeout` sets the busy timeout before anything else."""
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=busy_seconds,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
        factory=factory,
    )
    connection.create_function("tilth_lower", 1, lower, deterministic=True)
    return connection


def lower(value: object) -> str | None:
    """Lower case character by character, as PostgreSQL's lower() in the C.UTF-8 locale.

    str.lower() also looks at neighbours (final sigma) and makes two characters of İ.
    """
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.replace("İ", "i").replace("Σ", "σ").lower()
