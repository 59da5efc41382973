"""Serves an application, or a database without one, and changes nothing in it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial

from tilth.cli.actor import USAGE
from tilth.cli.announce import News, announce
from tilth.cli.opening import require_lasting_key, require_tables, share_secret_key
from tilth.cli.port import listen
from tilth.cli.served import Served, application_of
from tilth.cli.target import default_source, is_database_url
from tilth.errors import CommandError
from tilth.kit.text import sentence_list
from tilth.runtime.web.server import serve as serve_http

LOG_LEVEL = "warning"
TOKEN_BYTES = 32
NOTES_SHOWN = 5


def serve(
    source: str | None,
    *,
    host: str,
    port: int,
    workers: int,
    is_public: bool,
    schema: str | None,
    as_json: bool,
) -> None:
    """Raises CommandError and SetupError before anything is served."""
    served = _served(default_source() if source is None else source, is_public, schema)
    is_made = share_secret_key()
    app = application_of(served)
    if is_made:
        require_lasting_key(app)
    backend = app.servable()
    if not served.is_adopted:
        require_tables(backend, served.source)
    listening = listen(host, port)
    mode = "an adopted database, only read" if served.is_adopted else app.settings.environment
    news = News(mode, token=served.token, notes=_notes(backend.notes))
    serve_http(
        app if workers == 1 else partial(application_of, served),
        host=host,
        port=port,
        settings=app.settings,
        workers=workers,
        listening=listening,
        factory=workers > 1,
        log_level=LOG_LEVEL,
        when_ready=partial(announce, backend, listening, news, as_json=as_json),
    )


def _served(source: str, is_public: bool, schema: str | None) -> Served:
    """Options that only make sense for a database are refused for an application."""
    if is_database_url(source):
        return Served(source, None if is_public else secrets.token_urlsafe(TOKEN_BYTES), schema)
    wrong = [name for name, given in (("--public", is_public), ("--schema", schema)) if given]
    if wrong:
        raise CommandError(
            f"{sentence_list(wrong)}: only for a database that is served without an application.",
            "In an application, policies say who may read and models say which schema.",
            USAGE,
        )
    return Served(source)


def _notes(notes: Sequence[str]) -> list[str]:
    if len(notes) <= NOTES_SHOWN:
        return list(notes)
    more = f"… and {len(notes) - NOTES_SHOWN} more: tilth show --app DATABASE_URL"
    return [*notes[:NOTES_SHOWN], more]
