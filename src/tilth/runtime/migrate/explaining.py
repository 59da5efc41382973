"""What the database or Alembic has to say of a migration → one sentence and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.util import CommandError as AlembicError
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from tilth.errors import CommandError
from tilth.kernel.store.sync import chain_of, explain_connection_error, failure_of


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Raises CommandError for what may be expected to fail."""
    try:
        yield
    except DBAPIError as exc:
        raise _of_database(exc, url) from exc
    except SQLAlchemyError as exc:
        raise CommandError(f"{type(exc).__name__}: {exc}") from exc
    except AlembicError as exc:
        raise CommandError(str(exc)) from exc


def _of_database(exc: DBAPIError, url: URL) -> CommandError:
    if any(failure_of(each, url) for each in chain_of(exc)):
        return explain_connection_error(exc, url)
    statement = " ".join((exc.statement or "").split())[:200]
    refused = f"{str(exc.orig).strip().splitlines()[0]}"
    return CommandError(
        f"The database refused: {refused}" + (f"\n  in: {statement}" if statement else ""),
        f"Nothing of this revision was changed. {_way_on(statement)}",
    )


def _way_on(statement: str) -> str:
    if statement.upper().startswith("CREATE TABLE"):
        return "If the table was there before the migrations: tilth migrate baseline."
    return "Correct it, or the rows it stumbles on."
