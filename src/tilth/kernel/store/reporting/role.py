"""A role of PostgreSQL that reads the views and nothing else of the application."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL, Dialect

from tilth.errors import CommandError
from tilth.kernel.store.reporting.views import View, statements_for_views
from tilth.kernel.store.sync import explained, sync_engine

STATEMENT_SECONDS = 60
"""Of one question of a tool: what takes longer should not run beside an application."""

_THERE = text(
    "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolname = current_user"
    " FROM pg_roles WHERE rolname = :name"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """password: of a role that was made; None for one that was there, and keeps its own.

    statements: by which it was made, the password left out.
    """

    password: str | None
    statements: Sequence[str]


def make_reader(
    url: URL, role: str, place: str, views: Sequence[View], *, rehearsing: bool
) -> Reader:
    """In one transaction. place: the schema of the views. rehearsing: nothing is done.

    Raises CommandError for a role that may do more than read.
    """
    engine = sync_engine(url)
    try:
        with explained(url), engine.begin() as connection:
            password = None if _is_there(connection, role) else secrets.token_urlsafe(24)
            dialect = engine.dialect
            creation = [] if password is None else [_creation(role, dialect)]
            names = [view.name for view in views]
            statements = [
                *statements_for_views(views, place, dialect),
                *creation,
                *_rights(role, place, names, dialect),
            ]
            if not rehearsing:
                _execute(connection, statements, role, password)
    finally:
        engine.dispose()
    return Reader(password, statements)


def _is_there(connection: Connection, role: str) -> bool:
    powerful = connection.scalar(_THERE, {"name": role})
    if powerful:
        raise CommandError(
            f"The role {role} is there, and may do more than read.", "Take another name."
        )
    return powerful is not None


def _execute(
    connection: Connection, statements: Sequence[str], role: str, password: str | None
) -> None:
    from psycopg import sql  # here, as nobody needs the driver of the other database

    # Past SQLAlchemy: a % in a rule is no placeholder.
    driver: Any = connection.connection.driver_connection
    for statement in statements:
        driver.execute(statement)
    if password is not None:
        # What the server keeps of it anyway, so that no log of the server has more.
        verifier: bytes = driver.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        )
        known, secret = sql.Identifier(role), sql.Literal(verifier.decode())
        change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(known, secret)
        driver.execute(change)


def _creation(role: str, dialect: Dialect) -> str:
    return f"CREATE ROLE {dialect.identifier_preparer.quote(role)} LOGIN NOINHERIT"


def _rights(role: str, place: str, views: Sequence[str], dialect: Dialect) -> Iterator[str]:
    quote = dialect.identifier_preparer.quote
    name, schema = quote(role), quote(place)
    yield f"ALTER ROLE {name} SET default_transaction_read_only = on"
    yield f"ALTER ROLE {name} SET statement_timeout = '{STATEMENT_SECONDS}s'"
    yield f"ALTER ROLE {name} SET search_path = {schema}"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {name}"
    for view in views:
        yield f"GRANT SELECT ON {schema}.{quote(view)} TO {name}"
