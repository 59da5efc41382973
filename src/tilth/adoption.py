"""An existing database → an application over it, with no code."""

from dataclasses import replace
from os import environ

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from tilth.kernel.policy.actor import Actor
from tilth.kernel.policy.policy import Policy
from tilth.kernel.policy.rules import public, signed_in
from tilth.kernel.schema.adopt import exposures_from
from tilth.kernel.store.reflect import reflect_database
from tilth.kernel.store.sync import explain_connection_error, sync_engine
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
    settings = settings or load_settings(environ)
    own_url = replace(settings, store=replace(settings.store, database=None))
    engine = sync_engine(url, read_only=True)
    try:
        reflected = reflect_database(engine, schema)
    except SQLAlchemyError as exc:
        raise explain_connection_error(exc, url) from exc
    finally:
        engine.dispose()
    adopted = exposures_from(reflected.metadata, engine.dialect.name)
    readers = [bearer_reader({token: OWNER})] if token else []
    app = Tilth(
        url,
        settings=own_url,
        readers=readers,
        schemes={"bearer": {"type": "http", "scheme": "bearer"}} if token else {},
        read_only=True,
        title=make_url(url).database or "Tilth",
    )
    policy = Policy(read=signed_in if token else public)
    for exposure in adopted.exposures:
        app.declare(exposure, policy)
    app.notes = (*reflected.notes, *adopted.notes)
    return app
