"""An existing database → an application over it, with no code."""

from dataclasses import replace
from os import environ
from pathlib import PurePath

from sqlalchemy.exc import SQLAlchemyError

from tilth.declared import Declared
from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import public, signed_in
from tilth.kernel.schema.adopt import exposures_from
from tilth.kernel.schema.exposure import Exposure
from tilth.kernel.store.engine import database_url
from tilth.kernel.store.reflect import no_tables, reflect_database
from tilth.kernel.store.sync import existing_engine, explain_connection_error
from tilth.kit.heap import nothing_collected
from tilth.runtime.web.actor import bearer_reader
from tilth.settings import Settings, load_settings
from tilth.standard import Tilth

OWNER = Actor("owner", method="bearer", assurance=1)
"""Who holds the token of an adopted database."""


def adopt(
    url: str,
    *,
    token: str | None = None,
    schema: str | None = None,
    settings: Settings | None = None,
) -> Tilth:
    """An application over a database as it is: every table and view, only for reading.

    token: the bearer token that lets read; None lets anyone read. schema: on PostgreSQL, the
    schema to reflect; None takes the first of the search path.
    Raises CommandError when the database cannot be read, SetupError when the URL is not one.
    """
    with nothing_collected():
        notes, exposures = _found_in(url, schema)
    settings = settings or load_settings(environ)
    app = Tilth(
        url,
        settings=replace(settings, store=replace(settings.store, database=None)),
        readers=[bearer_reader({token: OWNER})] if token else [],
        schemes={"bearer": {"type": "http", "scheme": "bearer"}} if token else {},
        read_only=True,
        title=PurePath(database_url(url).database or "database").stem,
    )
    for exposure in exposures:
        app.declare(Declared(exposure, Policy(read=signed_in if token else public)))
    app.notes = notes
    return app


def _found_in(url: str, schema: str | None) -> tuple[tuple[str, ...], tuple[Exposure, ...]]:
    engine = existing_engine(url)
    try:
        reflected = reflect_database(engine, schema)
    except SQLAlchemyError as exc:
        raise explain_connection_error(exc, url) from exc
    finally:
        engine.dispose()
    adopted = exposures_from(reflected.metadata, engine.dialect.name)
    if not adopted.exposures:
        raise no_tables(schema)
    return (*reflected.notes, *adopted.notes), adopted.exposures
