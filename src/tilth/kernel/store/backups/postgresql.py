"""What backing a PostgreSQL database up and restoring it have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, Engine, column, func, select, table, text
from sqlalchemy.engine import URL

from tilth.kernel.store.backups.counts import Counts
from tilth.kernel.store.client_programs import Program, environment_of, run
from tilth.kernel.store.sync import sync_engine

# Those of extensions come with the extension and not with the archive.
OBJECTS = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = ANY(:kinds) AND c.relpersistence <> 't'
      AND n.nspname <> 'information_schema' AND NOT starts_with(n.nspname, 'pg_')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2"""
TABLES = ["r"]
ANYTHING = ["r", "p", "v", "m", "S", "f"]


@contextmanager
def engine_of(url: URL, *, read_only: bool = False) -> Iterator[Engine]:
    engine = sync_engine(url, read_only=read_only)
    try:
        yield engine
    finally:
        engine.dispose()


def version_of(connection: Connection) -> int:
    found = connection.dialect.server_version_info
    return int(found[0]) if found else 0


def counted_in(connection: Connection) -> Counts:
    counts = {}
    for schema, name in connection.execute(text(OBJECTS), {"kinds": TABLES}).all():
        found = table(name, column("tableoid"), schema=schema)
        # Those that inherit from it are counted by their own names.
        asked = select(func.count()).select_from(found).with_hint(found, "ONLY", "postgresql")
        counts[f"{schema}.{name}"] = connection.scalar(asked) or 0
    return counts


def restore_archive(tool: Program, backup: Path, url: URL) -> None:
    """Owners and rights are those of another server's users, or of none."""
    whole = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    target = f"--dbname={_named(url)}"
    where = environment_of(url, os.environ)
    run(tool, [*whole, "--no-password", target, str(backup.absolute())], where)


def _named(url: URL) -> str:
    """pg_restore has to be given a name, and takes one with "=" in it for more than that."""
    return make_conninfo(dbname=url.database) if url.database else ""


def first_line_of(exc: BaseException) -> str:
    return str(getattr(exc, "orig", exc)).strip().partition("\n")[0]
